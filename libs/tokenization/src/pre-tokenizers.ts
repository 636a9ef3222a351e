import { ByteLevelPreTokenizer, SplitPreTokenizer } from '@huggingface/tokenizers';
import { digit, letter, numeric, punctuation, whiteSpace, wordCharacter } from './rust-unicode.js';
import type { PipelineStep } from './tokenizer-definition.js';

/** Divides a text into words. `isFirst` says whether it is the beginning of the whole text. */
export type PreTokenize = (text: string, isFirst: boolean) => string[];

/** What becomes of the parts of a text that match a pattern; names as in tokenizer.json. */
export const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
type Behavior = (typeof behaviors)[number];

const space = new RegExp(`${whiteSpace}+`, 'gu');
const wordsOrSymbols = new RegExp(`${wordCharacter}+|[^${wordCharacter}${whiteSpace}]+`, 'gv');
const bertWords = new RegExp(`[^${whiteSpace}${punctuation}]+|${punctuation}`, 'gv');
const onePunctuation = new RegExp(punctuation, 'gv');
const oneDigit = new RegExp(numeric, 'gv');
const gpt2Words = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?${letter}+| ?${digit}+| ?[^${whiteSpace}${letter}${digit}]+` +
    `|${whiteSpace}+(?!\\P{White_Space})|${whiteSpace}+`,
  'gv',
);

/**
 * The pre-tokenizers that differ from the Rust library's in `@huggingface/tokenizers` 0.2.0, which
 *
 * - does not divide at the spaces that it replaces (`Metaspace` with `split`);
 * - knows ASCII alone (`Whitespace`, `Digits`), JavaScript's white space (`WhitespaceSplit`, `ByteLevel`), and newer punctuation,
 *   letters and numbers (`BertPreTokenizer`, `Punctuation`, `ByteLevel`);
 * - treats every behavior other than `Removed` as `Isolated` (`Split`), and punctuation as `Contiguous` (`Punctuation`);
 * - counts UTF-16 units, not characters (`FixedLength`).
 */
const preTokenizers: Readonly<Record<string, (step: PipelineStep) => PreTokenize>> = {
  Sequence: ({ pretokenizers }) => sequence(pretokenizers as PipelineStep[]),
  Metaspace: metaspace,
  ByteLevel: (step) => {
    const byteLevel = new ByteLevelPreTokenizer(step);
    byteLevel.pattern = gpt2Words;
    return (text) => byteLevel.pre_tokenize_text(text);
  },
  BertPreTokenizer: () => (text) => text.match(bertWords) ?? [],
  Whitespace: () => (text) => text.match(wordsOrSymbols) ?? [],
  WhitespaceSplit: () => (text) => divide(text, space, 'Removed'),
  Punctuation: ({ behavior }) => {
    const kept = behaviorOf(behavior);
    return (text) => divide(text, onePunctuation, kept);
  },
  Digits: ({ individual_digits: individual }) => {
    const behavior = individual === true ? 'Isolated' : 'Contiguous';
    return (text) => divide(text, oneDigit, behavior);
  },
  Split: (step) => {
    const { pattern } = new SplitPreTokenizer(step);
    const behavior = behaviorOf(step['behavior']);
    return (text) => divide(text, pattern, behavior, step['invert'] === true);
  },
  FixedLength:
    ({ length }) =>
    (text) => {
      const characters = [...text];
      const size = Number(length);
      const count = Math.ceil(characters.length / size);
      return Array.from({ length: count }, (_, at) => characters.slice(at * size, (at + 1) * size).join(''));
    },
};

/** The function of a pre-tokenizer in a tokenizer.json, which was checked. */
export function preTokenizerOf(step: PipelineStep): PreTokenize {
  const create = preTokenizers[step.type];
  if (create === undefined) throw new TypeError(`${step.type} is not a pre-tokenizer`);
  return create(step);
}

/** NOTE: `isFirst` is lost after the first step, on which `requireTokenizerJson` relies. */
function sequence(steps: readonly PipelineStep[]): PreTokenize {
  const functions = steps.map(preTokenizerOf);
  return (text, isFirst) =>
    functions.reduce((words, divideWord, at) => words.flatMap((word) => divideWord(word, isFirst && at === 0)), [text]);
}

function metaspace({ replacement, prepend_scheme: scheme, split }: PipelineStep): PreTokenize {
  const mark = typeof replacement === 'string' ? replacement : '▁';
  return (text, isFirst) => {
    const marked = text.replaceAll(' ', mark);
    const prepends = scheme === 'first' ? isFirst : scheme !== 'never';
    const whole = prepends && !marked.startsWith(mark) ? `${mark}${marked}` : marked;
    return split === false ? [whole] : divideBefore(whole, mark);
  };
}

/** Divides a text before each mark. */
function divideBefore(text: string, mark: string): string[] {
  const parts: string[] = [];
  for (let start = 0; start < text.length;) {
    const next = text.indexOf(mark, start + 1);
    const end = next < 0 ? text.length : next;
    parts.push(text.slice(start, end));
    start = end;
  }
  return parts;
}

/** `Isolated` is the default of `Punctuation`; `Split` always states one. */
function behaviorOf(value: unknown): Behavior {
  return behaviors.find((behavior) => behavior === value) ?? 'Isolated';
}

/** Divides a text at the matches of a pattern with the flag g, or with `invert` at the other parts. */
function divide(text: string, pattern: RegExp, behavior: Behavior, invert = false): string[] {
  const parts: string[] = [];
  let wasMatch = false;
  for (const { part, isMatch } of matchesAndRest(text, pattern, invert)) {
    const isMerged =
      (behavior === 'Contiguous' && isMatch === wasMatch) ||
      (behavior === 'MergedWithPrevious' && isMatch && !wasMatch) ||
      (behavior === 'MergedWithNext' && !isMatch && wasMatch);
    if (behavior === 'Removed' && isMatch) continue;
    if (isMerged && parts.length > 0) parts.push(`${parts.pop() ?? ''}${part}`);
    else parts.push(part);
    wasMatch = isMatch;
  }
  return parts;
}

/** The matches of a pattern and the parts between them, in their order, without empty ones. */
function* matchesAndRest(
  text: string,
  pattern: RegExp,
  invert: boolean,
): Generator<{ part: string; isMatch: boolean }> {
  let end = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (index > end) yield { part: text.slice(end, index), isMatch: invert };
    if (match !== '') yield { part: match, isMatch: !invert };
    end = index + match.length;
  }
  if (end < text.length) yield { part: text.slice(end), isMatch: invert };
}
