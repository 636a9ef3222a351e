import { expect, test } from '@jest/globals';
import { chunkingOf } from './chunking.js';
import type { PipelineStep, TokenizerJson } from './tokenizer-definition.js';

/** A tokenizer.json with these steps. Its model does not matter. */
const chunkingWith = (normalizers: PipelineStep[], preTokenizers: PipelineStep[]): string | undefined =>
  chunkingOf({
    added_tokens: [],
    normalizer: { type: 'Sequence', normalizers },
    pre_tokenizer: { type: 'Sequence', pretokenizers: preTokenizers },
  } as unknown as TokenizerJson);

const byteLevel: PipelineStep = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };
const metaspace: PipelineStep = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true };
const strip = (left: boolean): PipelineStep => ({ type: 'Strip', strip_left: left, strip_right: true });
const replace = (pattern: string, content: string): PipelineStep => ({
  type: 'Replace',
  pattern: { String: pattern },
  content,
});

test.each<[string, PipelineStep[], PipelineStep[]]>([
  ['a strip of the right end', [strip(false)], [metaspace]],
  ['a strip before the step that puts the space back', [strip(true)], [metaspace]],
  ['a strip before the step that removes all spaces', [strip(true)], [{ type: 'WhitespaceSplit' }, metaspace]],
  ['a replacement of characters', [replace('``', '"')], [metaspace]],
  ['no strip', [{ type: 'NFC' }], [metaspace]],
])('a text is divided before spaces with %s', (_, normalizers, preTokenizers) => {
  expect(chunkingWith(normalizers, preTokenizers)).toBe('before spaces');
});

test.each<[string, PipelineStep[], PipelineStep[]]>([
  ['a strip would remove the space of a word', [strip(true)], [byteLevel]],
  ['a strip would remove the space of punctuation', [strip(true)], [{ type: 'Punctuation' }, metaspace]],
  ['a replacement may remove a word', [replace('x', '')], [metaspace]],
  ['a replacement may make a space', [replace('x', 'a b')], [metaspace]],
  ['a step is put before the text', [{ type: 'Prepend', prepend: '▁' }], [metaspace]],
])('a text is not divided where %s', (_, normalizers, preTokenizers) => {
  expect(chunkingWith(normalizers, preTokenizers)).toBeUndefined();
});
