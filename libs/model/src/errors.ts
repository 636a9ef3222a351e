import { defineError } from '@nautil/contracts';

/** A config.json describes an encoder that this lib does not compute; the message names what, the hint what works. */
export class UnsupportedEncoder extends defineError('UnsupportedEncoder', 'config') {}

/** No class of transformers computes the encoder with NeMo's head. The message has the reason for each class. */
export class NoTransformersClass extends defineError('NoTransformersClass', 'config') {}

/** A batch has longer rows than the encoder has positions for. */
export class InputTooLong extends defineError('InputTooLong', 'config') {}

/** A file has a weight that is NaN or infinite, so everything that the model computes would be meaningless. */
export class NonFiniteWeight extends defineError('NonFiniteWeight', 'data') {
  constructor(file: string, tensor: string, value: number, index: number) {
    super(`${file}: the weight ${tensor} contains ${value} at index ${index}`, {
      hint: 'the file was written by a training that diverged, or it is damaged: use an earlier file',
    });
  }
}
