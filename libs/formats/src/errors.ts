import { defineError, NautilError, type NautilErrorOptions } from '@nautil/contracts';

/** Base class of the errors about the content of a file. `path` is the file, with the member inside it if there is one. */
export abstract class CheckpointError extends NautilError {
  readonly kind = 'data';

  readonly path: string;

  constructor(path: string, problem: string, options?: NautilErrorOptions) {
    super(`${path}: ${problem}`, options);
    this.path = path;
  }
}

/** The file contradicts itself or its format: truncated, damaged, or hostile. Nothing in it was used. */
export class CorruptFile extends CheckpointError {
  override readonly name = 'CorruptFile';
}

/** A CorruptFile for a file that ends too early. */
export function cutOff(path: string, problem: string): CorruptFile {
  return new CorruptFile(path, `the file is cut off: ${problem}`, {
    hint: 'compare its size with the original, and copy or download it again',
  });
}

/** The file does not exist or can't be opened. */
export class FileUnavailable extends CheckpointError {
  override readonly name = 'FileUnavailable';
}

/** A pickle tried to import or call something outside the allow-list. Nothing was executed. */
export class UnsafePickle extends CheckpointError {
  override readonly name = 'UnsafePickle';
}

/** The file is of a kind that Nautil does not support. The message names the kind; the hint gives an alternative. */
export class UnsupportedFile extends CheckpointError {
  override readonly name = 'UnsupportedFile';
}

/** The checkpoint lacks tensors that its architecture needs. */
export class MissingTensors extends CheckpointError {
  override readonly name = 'MissingTensors';
}

/** The configuration names a model that is not on this machine and could not be downloaded. */
export class ModelNotFound extends defineError('ModelNotFound', 'data') {}
