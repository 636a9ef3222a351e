import { defineError } from '@nautil/contracts';

/** Input data that can't be read or trained on; the message starts with `FILE:LINE:` where there is a line. */
export class DataError extends defineError('DataError', 'data') {}
