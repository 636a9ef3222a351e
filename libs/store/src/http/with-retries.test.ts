import { expect, test } from '@jest/globals';
import { classifyResponse } from './classify-response.js';
import { withIdleTimeout } from './idle-timeout.js';
import { networkFailure } from './network-failure.js';
import { RetryableError } from './retryable-error.js';
import { withRetries } from './with-retries.js';

const fast = { backoffMs: 1 };

/** An attempt that fails with each error in turn and then succeeds. */
function failing(...errors: Error[]): { attempt: () => Promise<number>; count: () => number } {
  let count = 0;
  const attempt = (): Promise<number> => {
    const error = errors[count++];
    return error ? Promise.reject(error) : Promise.resolve(count);
  };
  return { attempt, count: () => count };
}

test('a retryable failure is retried until it passes, any other error is thrown at once', async () => {
  const passing = failing(new RetryableError('busy'), new RetryableError('busy'));
  expect(await withRetries(passing.attempt, fast)).toBe(3);
  const final = failing(new RetryableError('busy'), new Error('refused'));
  await expect(withRetries(final.attempt, fast)).rejects.toThrow('refused');
  expect(final.count()).toBe(2);
});

test('it gives up after so many failures in a row, and an attempt that made progress restarts the count', async () => {
  const errors = Array.from({ length: 10 }, () => new RetryableError('cut off'));
  const stuck = failing(...errors);
  await expect(withRetries(stuck.attempt, { ...fast, attempts: 3 })).rejects.toThrow('cut off');
  expect(stuck.count()).toBe(3);
  const moving = failing(...errors);
  const progress = (): Promise<number> => Promise.resolve(moving.count());
  expect(await withRetries(moving.attempt, { ...fast, attempts: 3, progress })).toBe(11);
});

test('a request that is not idempotent is repeated only when the server did not process it', async () => {
  const turnedAway = failing(new RetryableError('503', { notProcessed: true }));
  expect(await withRetries(turnedAway.attempt, { ...fast, idempotent: false })).toBe(2);
  const unknown = failing(new RetryableError('the connection was reset'));
  await expect(withRetries(unknown.attempt, { ...fast, idempotent: false })).rejects.toThrow('reset');
  expect(unknown.count()).toBe(1);
});

test.each([
  ['the server asks for', new RetryableError('busy', { retryAfterMs: 30_000 })],
  ['the back-off has', new RetryableError('busy')],
])('no attempt begins after the time limit, whatever delay %s', async (_, error) => {
  const busy = failing(...Array.from({ length: 100 }, () => error));
  const begun = performance.now();
  await expect(withRetries(busy.attempt, { attempts: 100, backoffMs: 20, longestMs: 200 })).rejects.toThrow('busy');
  expect(performance.now() - begun).toBeLessThan(2000);
});

test('an abort ends the delay between two attempts with its reason', async () => {
  const cancellation = new AbortController();
  const waiting = withRetries(() => Promise.reject(new RetryableError('busy', { retryAfterMs: 60_000 })), {
    signal: cancellation.signal,
  });
  setTimeout(() => cancellation.abort(new Error('cancelled')), 10);
  await expect(waiting).rejects.toThrow('cancelled');
});

test.each([
  [408, { notProcessed: false }],
  [429, { notProcessed: true, retryAfterMs: 7000 }],
  [500, { notProcessed: false }],
  [502, { notProcessed: false }],
  [503, { notProcessed: true, retryAfterMs: 7000 }],
])('status %i is a retryable failure', (status, expected) => {
  expect(classifyResponse({ status, headers: new Headers({ 'retry-after': '7' }) }, 'x')).toMatchObject(expected);
});

test.each([200, 206, 301, 400, 401, 404, 416])('status %i is final', (status) => {
  expect(classifyResponse({ status, headers: new Headers() }, 'x')).toBeUndefined();
});

test('a connection that was never made is known not to have been processed, a broken one is not', async () => {
  const refused: unknown = await fetch('http://127.0.0.1:10240').catch((error: unknown) => error);
  expect(networkFailure(refused)).toMatchObject({
    message: expect.stringContaining('ECONNREFUSED'),
    notProcessed: true,
  });
  const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  expect(networkFailure(new TypeError('fetch failed', { cause: reset }))).toMatchObject({
    message: 'read ECONNRESET',
    notProcessed: false,
  });
});

test('the error of a local file, or of the program, is no network failure', () => {
  const missing = Object.assign(new Error('no such file'), { code: 'ENOENT', path: '/x' });
  expect(networkFailure(new TypeError('fetch failed', { cause: missing }))).toBeUndefined();
  expect(networkFailure(new RangeError('Invalid array length'))).toBeUndefined();
});

test('a silent server and an aborting caller end a request with their own reasons', async () => {
  const silent = (idle: { signal: AbortSignal }): Promise<never> =>
    new Promise((_resolve, reject) => {
      idle.signal.addEventListener('abort', () => reject(new Error('aborted')));
    });
  await expect(withIdleTimeout({ timeoutMs: 50 }, silent)).rejects.toMatchObject({
    name: 'RetryableError',
    message: 'the server sent nothing for 0.1 s',
  });
  const signal = AbortSignal.abort(new Error('cancelled'));
  const request = (idle: { signal: AbortSignal }): Promise<void> =>
    idle.signal.aborted ? Promise.reject(new Error('aborted')) : Promise.resolve();
  await expect(withIdleTimeout({ timeoutMs: 1000, signal }, request)).rejects.toThrow('cancelled');
});
