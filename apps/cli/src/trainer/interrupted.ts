import { NautilError } from '@nautil/contracts';

/** The user asked the program to end. */
export class Interrupted extends NautilError {
  override readonly name = 'Interrupted';
  readonly kind = 'interrupted';

  constructor() {
    super('interrupted', { hint: 'the same command with exp_manager.resume_if_exists=true goes on' });
  }
}
