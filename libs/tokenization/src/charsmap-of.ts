import { PrecompiledCharsmap } from './precompiled-charsmap.js';
import type { PipelineStep } from './tokenizer-definition.js';

/** The map of a `Precompiled` normalizer. @throws RangeError when the bytes are not a character map */
export const charsmapOf = ({ precompiled_charsmap: base64 }: PipelineStep): PrecompiledCharsmap =>
  new PrecompiledCharsmap(Buffer.from(String(base64), 'base64'));
