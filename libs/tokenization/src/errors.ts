import { defineError } from '@nautil/contracts';

/** A tokenizer cannot be loaded: a file is invalid, an option is wrong, or its kind is not supported. */
export class TokenizerError extends defineError('TokenizerError', 'config') {}

/** A folder has none of a tokenizer's files, or no folder and no file was named. */
export class TokenizerMissing extends defineError('TokenizerMissing', 'data') {}

/** A text takes the tokenizer too long, or too much memory. */
export class TextRefused extends defineError('TextRefused', 'data') {}

/** A token cache is truncated, damaged, of another version, or was built from other input. */
export class CorruptCache extends defineError('CorruptCache', 'data') {
  constructor(path: string, what: string, cause?: unknown) {
    super(`${path}: ${what}`, { hint: 'delete the file; the next run builds it again', cause });
  }
}
