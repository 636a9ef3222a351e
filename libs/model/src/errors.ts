import { defineError } from '@nautil/contracts';

/** A config.json describes an encoder that this lib does not compute; the message names what, the hint what works. */
export class UnsupportedEncoder extends defineError('UnsupportedEncoder', 'config') {}

/** A batch has longer rows than the encoder has positions for. */
export class InputTooLong extends defineError('InputTooLong', 'config') {}
