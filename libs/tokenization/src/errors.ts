import { defineError } from '@nautil/contracts';

/** A tokenizer that can't be loaded: a file is missing or broken, an option is wrong, or its kind isn't supported. */
export class TokenizerError extends defineError('TokenizerError', 'config') {}

/** A token cache that can't be trusted: cut off, altered, of another version, or made from other input. Delete it and build it again. */
export class CorruptCache extends defineError('CorruptCache', 'data') {
  constructor(path: string, what: string, cause?: unknown) {
    super(`${path}: ${what}`, { hint: 'delete the file; the next run builds it again', cause });
  }
}
