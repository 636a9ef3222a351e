import { expect, test } from '@jest/globals';
import { Semaphore } from './semaphore.js';

test('permits are handed on in the order in which callers asked', async () => {
  const semaphore = new Semaphore(2);
  const order: number[] = [];
  const [releaseFirst, releaseSecond] = await Promise.all([semaphore.acquire(), semaphore.acquire()]);
  const waiting = [1, 2].map(async (number) => {
    const release = await semaphore.acquire();
    order.push(number);
    return release;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual([]);
  releaseFirst();
  const release = await waiting[0]!;
  expect(order).toEqual([1]);
  release();
  (await waiting[1]!)();
  releaseSecond();
  await semaphore.acquire();
  await semaphore.acquire();
});

test('a caller that is cancelled while it waits takes no permit', async () => {
  const semaphore = new Semaphore(1);
  const release = await semaphore.acquire();
  const cancellation = new AbortController();
  const cancelled = semaphore.acquire(cancellation.signal);
  const waiting = semaphore.acquire();
  cancellation.abort(new Error('cancelled'));
  await expect(cancelled).rejects.toThrow('cancelled');
  release();
  (await waiting)();
  await expect(semaphore.acquire(cancellation.signal)).rejects.toThrow('cancelled');
  await semaphore.acquire();
});

test('a permit that is released twice is free once', async () => {
  const semaphore = new Semaphore(1);
  const release = await semaphore.acquire();
  release();
  release();
  await semaphore.acquire();
  let acquired = false;
  void semaphore.acquire().then(() => (acquired = true));
  await new Promise((resolve) => setImmediate(resolve));
  expect(acquired).toBe(false);
});
