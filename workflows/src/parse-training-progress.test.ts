import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { InvalidValue } from './json-parsers.js';
import { parseTrainingProgress } from './parse-training-progress.js';
import { payloadConverter } from './payload-converter.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const valid = { step: 3, totalSteps: 9, epoch: 0, loss: 0.5, examplesPerSecond: 10, secondsLeft: 6 };
const names = [...Object.keys(valid), 'validation', 'checkpointStep', 'warnings'];

/** JSON texts of all kinds: values, almost valid ones, keys of the prototype, deep and huge ones, and broken ones. */
const malformed = fc.oneof(
  fc.json(),
  fc.string(),
  fc
    .tuple(fc.constantFrom(...names), fc.option(fc.jsonValue(), { nil: undefined }))
    .map(([key, value]) => JSON.stringify({ ...valid, [key]: value })),
  fc
    .tuple(fc.constantFrom('__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'), fc.json())
    .map(([key, value]) => `{"${key}":{"step":7,"polluted":${value}},"step":${value}}`),
  fc
    .tuple(fc.constantFrom(...names), fc.integer({ min: 1, max: 20_000 }))
    .map(([key, depth]) => `{"${key}":${'['.repeat(depth)}${']'.repeat(depth)}}`),
  fc.integer({ min: 1, max: 100_000 }).map((length) => JSON.stringify({ ...valid, step: 'x'.repeat(length) })),
  fc.constantFrom('null', '1e999', '-0', '{"step":1e400}', '[]', '{}', '"', '\u0000'),
);

test('no payload of a signal makes its check throw anything but InvalidValue, or come through with what was not checked', () => {
  let refused = 0;
  fc.assert(
    fc.property(
      malformed,
      fc.constantFrom('json/plain', 'json/plain', 'json/plain', 'binary/null', 'x'),
      (text, encoding) => {
        const payload = { metadata: { encoding: bytes(encoding) }, data: bytes(text) };
        const received: unknown = payloadConverter.fromPayload(payload);
        try {
          const progress = parseTrainingProgress(received, 'its payload');
          expect(Object.getPrototypeOf(progress)).toBe(Object.prototype);
          expect(Object.keys(progress).filter((key) => !names.includes(key))).toEqual([]);
          expect(progress.step).toBeGreaterThanOrEqual(0);
          expect((progress.warnings ?? []).filter((warning) => typeof warning !== 'string')).toEqual([]);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidValue);
          expect((error as Error).message.length).toBeLessThan(400);
          refused++;
        }
        expect(Object.keys(Object.prototype)).toEqual([]);
      },
    ),
    { numRuns: 4000, seed: 12 },
  );
  expect(refused).toBeGreaterThan(3000);
});
