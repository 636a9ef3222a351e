import { expect, test } from '@jest/globals';
import { type NautilError, UsageError } from './errors.js';
import { maskSecrets, withoutSecrets } from './mask-secrets.js';

test.each([
  ['http://alice:s3cret@mlflow:5000/path', 'http://***@mlflow:5000/path'],
  ['https://hf_abcdef@hub.example', 'https://***@hub.example'],
  ['http://:s3cret@host', 'http://***@host'],
  ['http://alice:p@ss:w@rd@host/x', 'http://***@host/x'],
  ['postgresql+psycopg2://u:p@db/mlflow and http://u:p@b/', 'postgresql+psycopg2://***@db/mlflow and http://***@b/'],
  [
    'https://b.s3.amazonaws.com/f?X-Amz-Credential=AKIA%2F1&X-Amz-Date=2026&X-Amz-Signature=abc&X-Amz-Security-Token=t',
    'https://b.s3.amazonaws.com/f?X-Amz-Credential=***&X-Amz-Date=2026&X-Amz-Signature=***&X-Amz-Security-Token=***',
  ],
  [
    'https://a.blob.core.windows.net/f?sv=2024&sig=a%2Bb%3D&se=1',
    'https://a.blob.core.windows.net/f?sv=2024&sig=***&se=1',
  ],
  [
    'https://storage.googleapis.com/f?GoogleAccessId=x&Signature=abc',
    'https://storage.googleapis.com/f?GoogleAccessId=x&Signature=***',
  ],
  ['(https://host/f?token=abc): 404', '(https://host/f?token=***): 404'],
  ['https://host/f?access_token=abc#top', 'https://host/f?access_token=***#top'],
  ['authorization: Bearer abc.def', 'authorization: ***'],
])('the password or signature in %s is masked', (text, masked) => {
  expect(maskSecrets(text).replace('Bearer ', '')).toBe(masked);
});

test.each([
  'https://host/path@2x.png?size=1&page=2',
  'write to alice@example.org',
  'model.optim.lr=1e-5',
  'Basic knowledge of tokens',
  'file:///data/a@b/train.tsv',
  'keys=a,b',
])('a text without a secret stays as it is: %s', (text) => {
  expect(maskSecrets(text)).toBe(text);
});

test('masking takes time in proportion to the length of the text', () => {
  const started = performance.now();
  for (const part of ['a://', 'a://b@', '?token', '@', 'authorization: ']) maskSecrets(part.repeat(200_000));
  expect(performance.now() - started).toBeLessThan(2000);
});

test('every text in a JSON value is masked, and everything else is kept', () => {
  expect(withoutSecrets({ a: ['http://u:p@h', 1, null], b: { c: true } })).toEqual({
    a: ['http://***@h', 1, null],
    b: { c: true },
  });
});

test('the message and the hint of every expected error are masked', () => {
  const error: NautilError = new UsageError('no server at http://u:p@h', { hint: 'check http://u:p@h' });
  expect([error.message, error.hint]).toEqual(['no server at http://***@h', 'check http://***@h']);
});
