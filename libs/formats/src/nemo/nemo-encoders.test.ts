import { expect, test } from '@jest/globals';
import { limitInNemo } from './nemo-encoders.js';

const limitOf = (modelType: string | undefined, hasVocabularyFile = true) =>
  limitInNemo({ modelType, tokenizerName: 'reviews-encoder', hasVocabularyFile });

test.each(['bert', 'distilbert', 'roberta', 'camembert', 'albert', undefined])(
  'NeMo 1.23 opens an archive of %s with its vocabulary',
  (type) => {
    expect(limitOf(type)).toBeUndefined();
  },
);

test.each(['xlm-roberta', 'electra', 'mpnet', 'deberta-v2', 'modernbert', 'megatron-bert'])(
  'NeMo 1.23 has no encoder of the type %s',
  (type) => {
    expect(limitOf(type)).toContain(type);
    expect(limitOf(type, false)).toBe(limitOf(type));
  },
);

test.each([
  ['albert', 'spiece.model'],
  ['camembert', 'sentencepiece.bpe.model'],
  ['bert', 'file of the vocabulary'],
])('without its vocabulary, NeMo needs the tokenizer of %s from the hub', (type, file) => {
  expect(limitOf(type, false)).toContain(file);
  expect(limitOf(type, false)).toContain('reviews-encoder');
});
