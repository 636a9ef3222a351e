import { defineError } from '@nautil/contracts';
import type { HubRepository } from './hub-cache.js';

/** What a download would fetch from the hub. */
export interface HubDownload {
  repository: HubRepository;

  /** The setting that names the repository. */
  key: string;
}

/** Something is not on this machine, and the caller permits no download. */
export class NotDownloaded extends defineError('NotDownloaded', 'environment') {
  /** Undefined for a file at an address. */
  readonly from: HubDownload | undefined;

  constructor(what: string, from?: HubDownload) {
    super(`${what} is not on this machine`, { hint: 'a run downloads it' });
    this.from = from;
  }
}
