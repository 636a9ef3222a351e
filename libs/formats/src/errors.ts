import { NautilError, type NautilErrorOptions } from '@nautil/contracts';

/** The base of what can be wrong with a checkpoint or a `.nemo` archive; `path` is the file (and the member in it). */
export abstract class CheckpointError extends NautilError {
  readonly kind = 'data';

  readonly path: string;

  constructor(path: string, problem: string, options?: NautilErrorOptions) {
    super(`${path}: ${problem}`, options);
    this.path = path;
  }
}

/** The file contradicts itself or its format: cut off, altered, or made to mislead. Nothing of it was used. */
export class CorruptFile extends CheckpointError {
  override readonly name = 'CorruptFile';
}

/** The file isn't there, or may not be opened. */
export class FileUnavailable extends CheckpointError {
  override readonly name = 'FileUnavailable';
}

/** A pickle that wants to import or call something outside the allow-list. It was not done. */
export class UnsafePickle extends CheckpointError {
  override readonly name = 'UnsafePickle';
}

/** A sound file of a kind that isn't read: the message names the kind, the hint what to do instead. */
export class UnsupportedFile extends CheckpointError {
  override readonly name = 'UnsupportedFile';
}

/** A checkpoint without some of the tensors that its architecture needs. */
export class MissingTensors extends CheckpointError {
  override readonly name = 'MissingTensors';
}
