import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/activity';
import { DataError } from '@nautil/datasets';
import { nautilHome } from '@nautil/store/folders';
import { toApplicationFailure } from './to-application-failure.js';

const systemError = (code: string, path: string): Error =>
  Object.assign(new Error(`${code}: no such file or directory, open '${path}'`), { code, path });

test.each(['ENOENT', 'EISDIR', 'ENOTDIR', 'EACCES', 'EPERM', 'EROFS', 'ELOOP', 'ENAMETOOLONG'])(
  'a file of the user that can’t be opened (%s) is never retried, and is reported in a sentence',
  (code) => {
    const failure = toApplicationFailure(systemError(code, '/data/labels.txt')) as ApplicationFailure;
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ nonRetryable: true, type: 'FileUnusable', details: [{ kind: 'data' }] });
    expect(failure.message).toMatch(/^\/data\/labels\.txt /);
    expect(failure.message).not.toContain(code);
  },
);

test('a failing disk, and a file of the state folder, are retried', () => {
  const ofHome = systemError('ENOENT', join(nautilHome(), 'store/file'));
  expect(toApplicationFailure(ofHome)).toBe(ofHome);
  const ofDisk = toApplicationFailure(systemError('EIO', '/data/labels.txt'));
  expect(ofDisk).toMatchObject({ type: 'StorageExhausted', nonRetryable: false });
});

test('the failure in Temporal’s UI has the hint once, and no stack', () => {
  const failure = toApplicationFailure(new DataError('a.tsv is empty', { hint: 'write a line' })) as ApplicationFailure;
  expect(failure.message).toBe('a.tsv is empty\nwrite a line');
  expect(failure.stack).toBe('');
  expect(failure.cause).toBeUndefined();
});

test('no control character of a file or an override is stored in a failure', () => {
  const failure = toApplicationFailure(
    new DataError('\x1b[31mfoo=1 is unknown', { hint: 'a\x07' }),
  ) as ApplicationFailure;
  expect(failure.message).toBe('\\x1b[31mfoo=1 is unknown\na\\x07');
  expect(failure.details).toEqual([{ kind: 'data', hint: 'a\\x07' }]);
});

test('the setting that a hint proposes is among the details of the failure', () => {
  const error = new DataError('label 7', { hint: 'set it to 8', setting: 'model.dataset.num_classes=8' });
  expect(toApplicationFailure(error)).toMatchObject({
    details: [{ kind: 'data', hint: 'set it to 8', setting: 'model.dataset.num_classes=8' }],
  });
});
