import { defineError } from '@nautil/contracts';

/** Something is not on this machine, and the caller permits no download. */
export class NotDownloaded extends defineError('NotDownloaded', 'environment') {
  constructor(what: string) {
    super(`${what} is not on this machine`, { hint: 'a run downloads it' });
  }
}
