import { NautilError } from '@nautil/contracts';

/** The trainer process ended without an answer: a native crash, or the system's out-of-memory killer. */
export class TrainerCrashed extends NautilError {
  override readonly name = 'TrainerCrashed';
  readonly kind = 'training';
  override readonly retryable = true;
}
