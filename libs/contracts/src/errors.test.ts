import { expect, test } from '@jest/globals';
import {
  defineError,
  exitCodeOf,
  formatError,
  isFailureDetails,
  NautilError,
  type NautilErrorOptions,
} from './errors.js';

class VocabularyMissing extends defineError('VocabularyMissing', 'data') {}
class ServerDown extends defineError('ServerDown', 'environment', { retryable: true }) {}

class FileMissing extends defineError('FileMissing', 'data') {
  readonly path: string;

  constructor(path: string, options?: NautilErrorOptions) {
    super(`${path} is missing`, options);
    this.path = path;
  }
}

test('a declared error has its own class, name and kind', () => {
  const error = new VocabularyMissing('bert has no vocab.txt');
  expect(error).toBeInstanceOf(VocabularyMissing);
  expect(error).toBeInstanceOf(NautilError);
  expect(error).not.toBeInstanceOf(ServerDown);
  expect(error).toMatchObject({ name: 'VocabularyMissing', kind: 'data', retryable: false, hint: undefined });
  expect(exitCodeOf(error)).toBe(3);
});

test('the name and the kind are known to the compiler', () => {
  const { name, kind } = new ServerDown('down');
  expect([name, kind] satisfies ['ServerDown', 'environment']).toEqual(['ServerDown', 'environment']);
});

test('an instance can differ from its class in whether a retry may help', () => {
  expect(new ServerDown('down')).toMatchObject({ retryable: true });
  expect(new ServerDown('gone for good', { retryable: false })).toMatchObject({ retryable: false });
  expect(new VocabularyMissing('not yet there', { retryable: true })).toMatchObject({ retryable: true });
});

test('a class with its own constructor keeps the hint and the cause', () => {
  const cause = new Error('ENOENT');
  const error = new FileMissing('a.txt', { hint: 'create it\nor name another', cause });
  expect(error).toMatchObject({ path: 'a.txt', cause });
  expect(formatError(error)).toBe('a.txt is missing\n  create it\n  or name another');
});

test.each([{ kind: 'data', hint: 'check the file' }, { kind: 'interrupted' }])(
  '%j are the details of a failure',
  (value) => {
    expect(isFailureDetails(value)).toBe(true);
  },
);

test.each([undefined, null, 'data', {}, { kind: 'toString' }, { kind: 'data', hint: 7 }, { hint: 'check the file' }])(
  '%j are not the details of a failure',
  (value) => {
    expect(isFailureDetails(value)).toBe(false);
  },
);
