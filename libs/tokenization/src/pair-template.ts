import { TokenizerError } from './errors.js';
import { idOf } from './special-token-roles.js';
import { stepsOf } from './steps-of.js';
import { tokenizerClass } from './tokenizer-classes.js';
import type { PipelineStep, TokenizerDefinition } from './tokenizer-definition.js';

/** A part of an encoded pair: a special token, or the first (0) or second (1) text. */
export type PairPart =
  { readonly id: number; readonly typeId: number } | { readonly text: 0 | 1; readonly typeId: number };

/** Ids of a pair of texts, and to which of them each belongs (`token_type_ids`). */
export interface EncodedPair {
  ids: number[];

  /** 0 up to the first token of type 1, and 1 from there on. */
  typeIds: number[];

  /** The number of tokens of type 0. */
  firstLength: number;

  /** Whether the texts had more ids than fit. */
  isTruncated: boolean;
}

/**
 * The parts of a pair in the family's own order, from the post-processor of its tokenizer.json, or by its class.
 *
 * @throws TokenizerError for a template whose segments are not 0 and then 1: no encoder that Nautil trains has such a one
 */
export function pairTemplateOf(definition: TokenizerDefinition): PairPart[] {
  const parts = anyPairTemplateOf(definition);
  const types = parts.map(({ typeId }) => typeId);
  if (types.every((type, at) => type === 0 || (type === 1 && !types.slice(at).includes(0)))) return parts;
  throw new TokenizerError(`the tokenizer's template of pairs has the token types ${types.join(', ')}`, {
    hint: 'a template may have type 0 and then type 1; use another tokenizer, or train on single texts',
  });
}

function anyPairTemplateOf(definition: TokenizerDefinition): PairPart[] {
  const { json, name, prefixIds, suffixIds } = definition;
  for (const step of stepsOf(json.post_processor)) {
    if (step.type === 'TemplateProcessing' && Array.isArray(step['pair'])) return templateParts(step, definition);
    if (step.type === 'BertProcessing') return partsOf('typed', prefixIds, suffixIds);
    if (step.type === 'RobertaProcessing') return partsOf('double', prefixIds, suffixIds);
  }
  return partsOf(tokenizerClass(name)?.pair ?? 'typed', prefixIds, suffixIds);
}

/** `[CLS] A [SEP] B [SEP]` with type 1 from B on, or `<s> A </s></s> B </s>` with type 0 throughout. */
function partsOf(pair: 'typed' | 'double', prefixIds: readonly number[], suffixIds: readonly number[]): PairPart[] {
  const tokens = (ids: readonly number[], typeId: number): PairPart[] => ids.map((id) => ({ id, typeId }));
  const second = pair === 'typed' ? 1 : 0;
  return [
    ...tokens(prefixIds, 0),
    { text: 0, typeId: 0 },
    ...tokens(suffixIds, 0),
    ...(pair === 'double' ? tokens(suffixIds, 0) : []),
    { text: 1, typeId: second },
    ...tokens(suffixIds, second),
  ];
}

interface TemplateItem {
  SpecialToken?: { id: string; type_id?: number };
  Sequence?: { id?: string; type_id?: number };
}

/** NOTE: `special_tokens` of the configuration may replace the tokens of the template. */
function templateParts(
  { pair, single, special_tokens: special }: PipelineStep,
  { json, prefixIds, suffixIds }: TokenizerDefinition,
): PairPart[] {
  const items = single as TemplateItem[];
  const first = items.findIndex(({ Sequence }) => Sequence !== undefined);
  const names = items.flatMap(({ SpecialToken }) => SpecialToken?.id ?? []);
  const replaced = new Map(names.map((token, at) => [token, at < first ? prefixIds[at] : suffixIds[at - first]]));
  const listed = special as Record<string, { ids?: number[] }> | undefined;
  return (pair as TemplateItem[]).flatMap(({ SpecialToken, Sequence }): PairPart[] => {
    if (Sequence) return [{ text: Sequence.id === 'B' ? 1 : 0, typeId: Sequence.type_id ?? 0 }];
    if (!SpecialToken) return [];
    const { id: token, type_id: typeId = 0 } = SpecialToken;
    const known = replaced.get(token);
    const ids = known === undefined ? (listed?.[token]?.ids ?? [idOf(json, token) ?? 0]) : [known];
    return ids.map((id) => ({ id, typeId }));
  });
}

/**
 * How many ids of two texts are kept so that they have at most `room` together: the longer one is shortened to the shorter one's
 * length first, then both (`longest_first` of the Rust library).
 */
export function pairLengths(first: number, second: number, room: number): [first: number, second: number] {
  if (first + second <= room) return [first, second];
  const shorter = Math.min(first, second);
  const half = Math.floor(room / 2);
  const kept: [number, number] = shorter <= half ? [shorter, room - shorter] : [half, room - half];
  return first <= second ? kept : [kept[1], kept[0]];
}
