import { expect, test } from '@jest/globals';
import { NautilError } from './errors.js';
import { asFileError } from './file-problem.js';

const systemError = (code: string, path?: string): Error =>
  Object.assign(new Error(`${code}: open`), { code, ...(path === undefined ? {} : { path }) });

test.each([
  ['ENAMETOOLONG', 'FileUnusable', false],
  ['EROFS', 'FileUnusable', false],
  ['EACCES', 'FileUnusable', false],
  ['ENOSPC', 'StorageExhausted', true],
  ['EDQUOT', 'StorageExhausted', true],
  ['EMFILE', 'StorageExhausted', true],
])('a system error %s becomes %s', (code, name, retryable) => {
  const error = asFileError(systemError(code, '/data/file')) as NautilError;
  expect(error).toBeInstanceOf(NautilError);
  expect(error).toMatchObject({ name, retryable });
  expect(error.message).toContain('/data/file');
  expect(error.hint).toBeDefined();
});

test('the hint about a shortage is for what is short', () => {
  expect(asFileError(systemError('EMFILE'))).toMatchObject({ hint: expect.stringContaining('ulimit -n') });
  expect(asFileError(systemError('ENOSPC'))).toMatchObject({ hint: expect.stringContaining('df -h') });
});

test('a shortage is an expected error wherever it occurs, and a path of Nautil itself is not', () => {
  expect(asFileError(systemError('ENOSPC'), () => false)).toMatchObject({ name: 'StorageExhausted' });
  const own = systemError('ENOENT', '/home/x');
  expect(asFileError(own, () => false)).toBe(own);
});
