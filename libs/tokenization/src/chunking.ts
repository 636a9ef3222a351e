import { charsmapOf } from './charsmap-of.js';
import { normalizerOf } from './normalizers.js';
import { stepsOf } from './steps-of.js';
import type { AddedToken, PipelineStep, TokenizerJson } from './tokenizer-definition.js';

/**
 * Where a text is divided into chunks whose concatenated ids equal the ids of the text: at all spaces, which belong to no chunk; or
 * before each single space between two printable ASCII characters, which belongs to the word after it.
 */
export type Chunking = 'at spaces' | 'before spaces';

/** Normalizers that change nothing at a space between two printable ASCII characters. */
const localNormalizers = ['Sequence', 'NFC', 'NFD', 'NFKC', 'NFKD', 'StripAccents', 'Lowercase'];

/** Patterns that a single space does not match. */
const localPatterns = [' {2,}', String.raw`\s{2,}|[\n\r\t]`];

/** A word of these characters stays a word: other steps neither remove it nor join it to the spaces around it. */
const printableWord = /^[!-~]+$/;

const printable = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index));

/** How a text without the tokens of `crossingTokens` may be divided; undefined for pipelines that need the whole text. */
export function chunkingOf({
  added_tokens: added,
  normalizer,
  pre_tokenizer: preTokenizer,
}: TokenizerJson): Chunking | undefined {
  if (normalizer?.type === 'BertNormalizer' && preTokenizer?.type === 'BertPreTokenizer') {
    return added.some(({ normalized }) => normalized === true) ? undefined : 'at spaces';
  }
  const isLocal = (step: PipelineStep): boolean =>
    step.type === 'Strip' ? stripsLocally(step, preTokenizer) : isLocalNormalizer(step);
  const isSeparable = [...stepsOf(normalizer)].every(isLocal) && dividesBeforeSpaces(preTokenizer);
  const normalize = normalizer === null ? (text: string) => text : normalizerOf(normalizer);
  const crossing = added.filter((token) => token.normalized === true && crosses(token, normalize(token.content)));
  return isSeparable && crossing.length === 0 ? 'before spaces' : undefined;
}

/** The contents of added tokens that a text which is divided must not have, because they may be in two chunks. */
export function crossingTokens(added: readonly AddedToken[], chunking: Chunking | undefined): string[] {
  const crossing = chunking === 'before spaces' ? added.filter((token) => crosses(token, token.content)) : added;
  return crossing.map(({ content }) => content);
}

/** Whether an added token can have, or absorb, a space at which a text is divided. Runs of spaces have none. */
const crosses = ({ rstrip }: AddedToken, content: string): boolean =>
  rstrip === true || (content.includes(' ') && !/^ {2,}$/.test(content));

function isLocalNormalizer(step: PipelineStep): boolean {
  if (step.type === 'Precompiled') {
    const charsmap = charsmapOf(step);
    return charsmap.normalize(' ') === ' ' && printable.every((char) => printableWord.test(charsmap.normalize(char)));
  }
  if (step.type !== 'Replace') return localNormalizers.includes(step.type);
  const { String: written, Regex: regex = '' } = step['pattern'] as { String?: string; Regex?: string };
  if (written === undefined) return localPatterns.includes(regex);
  return !/\s/.test(written) && printableWord.test(String(step['content']));
}

/**
 * Whether `Strip` may be applied to each chunk. No chunk but the last ends in white space. The space at the beginning of a chunk may only be
 * removed if the next step would remove it, too, or put it back.
 */
function stripsLocally({ strip_left: left }: PipelineStep, preTokenizer: PipelineStep | null): boolean {
  const [first] = [...stepsOf(preTokenizer)].filter(({ type }) => type !== 'Sequence');
  return left !== true || first?.type === 'WhitespaceSplit' || first?.type === 'Metaspace';
}

/** Whether words are divided before spaces, and a word at the beginning is treated as one after a space, or kept apart. */
function dividesBeforeSpaces(step: PipelineStep | null): boolean {
  if (step?.type === 'ByteLevel') return step['use_regex'] !== false;
  const steps = [...stepsOf(step)].filter(({ type }) => type !== 'Sequence');
  const last = steps.pop();
  const isMetaspace = last?.type === 'Metaspace' && last['split'] !== false;
  return (
    isMetaspace &&
    (last['prepend_scheme'] ?? 'always') === 'always' &&
    steps.every(({ type }) => type === 'WhitespaceSplit' || type === 'Punctuation' || type === 'Digits')
  );
}
