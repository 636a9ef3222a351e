import { ReplaceNormalizer } from '@huggingface/tokenizers';
import { bertNormalizerOptions, normalizeForBert } from './bert-normalizer.js';
import { lowerEach } from './character-classes.js';
import { charsmapOf } from './charsmap-of.js';
import { combiningMark, normalizeUnicode, whiteSpace } from './rust-unicode.js';
import type { PipelineStep } from './tokenizer-definition.js';

export type Normalize = (text: string) => string;

const combiningMarks = new RegExp(combiningMark, 'gv');
const leadingSpace = new RegExp(`^${whiteSpace}+`, 'u');
const trailingSpace = new RegExp(`${whiteSpace}+$`, 'u');

/**
 * The normalizers that differ from the Rust library's in `@huggingface/tokenizers` 0.2.0, which
 *
 * - replaces with `$&` and the like as patterns, not as text (`Replace`);
 * - takes Unicode's tables from JavaScript, which are newer (`NFC` …, `StripAccents`), and JavaScript's white space (`Strip`);
 * - removes all marks without decomposing (`StripAccents`), as the Rust library does, but has no final sigma (`Lowercase`);
 * - puts a text before an empty one (`Prepend`);
 * - ignores the map of `Precompiled`.
 */
const normalizers: Readonly<Record<string, (step: PipelineStep) => Normalize>> = {
  Sequence: ({ normalizers: steps }) => {
    const inner = (steps as PipelineStep[]).map(normalizerOf);
    return (text) => inner.reduce((normal, normalize) => normalize(normal), text);
  },
  BertNormalizer: (step) => {
    const options = bertNormalizerOptions(step);
    return (text) => normalizeForBert(text, options);
  },
  Precompiled: (step) => {
    const charsmap = charsmapOf(step);
    return (text) => charsmap.normalize(text);
  },
  NFC: () => (text) => normalizeUnicode(text, 'NFC'),
  NFD: () => (text) => normalizeUnicode(text, 'NFD'),
  NFKC: () => (text) => normalizeUnicode(text, 'NFKC'),
  NFKD: () => (text) => normalizeUnicode(text, 'NFKD'),
  StripAccents: () => (text) => text.replace(combiningMarks, ''),
  Lowercase: () => lowerEach,
  Strip: ({ strip_left: left, strip_right: right }) => {
    const stripLeft: Normalize = left === true ? (text) => text.replace(leadingSpace, '') : (text) => text;
    return right === true ? (text) => stripLeft(text.replace(trailingSpace, '')) : stripLeft;
  },
  Replace: (step) => {
    const { pattern } = new ReplaceNormalizer(step);
    const content = String(step['content']);
    return (text) => text.replaceAll(pattern, () => content);
  },
  Prepend:
    ({ prepend }) =>
    (text) =>
      text === '' ? '' : `${String(prepend)}${text}`,
};

/** The function of a normalizer in a tokenizer.json, which was checked. */
export function normalizerOf(step: PipelineStep): Normalize {
  const create = normalizers[step.type];
  if (create === undefined) throw new TypeError(`${step.type} is not a normalizer`);
  return create(step);
}
