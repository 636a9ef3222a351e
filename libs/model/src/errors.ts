import { NautilError } from '@nautil/contracts';

/** A config.json describes an encoder that this lib does not compute; the message names what, the hint what works. */
export class UnsupportedEncoder extends NautilError {
  override readonly name = 'UnsupportedEncoder';
  readonly kind = 'config';
}

/** A batch has longer rows than the encoder has positions for. */
export class InputTooLong extends NautilError {
  override readonly name = 'InputTooLong';
  readonly kind = 'config';
}
