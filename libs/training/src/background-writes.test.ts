import { expect, test } from '@jest/globals';
import { BackgroundWrites } from './background-writes.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('writes run one after another in their order, and what they hold is released after each', async () => {
  const writes = new BackgroundWrites();
  const log: string[] = [];
  for (const name of ['first', 'second']) {
    writes.start({
      write: async () => {
        log.push(`${name} begins`);
        await turn();
        log.push(`${name} ends`);
      },
      release: () => log.push(`${name} is released`),
    });
  }
  log.push('started');
  await writes.finish();
  expect(log).toEqual([
    'started',
    ...['first begins', 'first ends', 'first is released'],
    ...['second begins', 'second ends', 'second is released'],
  ]);
});

test('after a write that failed nothing is written, everything is released, and every wait throws its error', async () => {
  const writes = new BackgroundWrites();
  const log: string[] = [];
  const release = (): void => void log.push('released');
  writes.start({ write: () => Promise.reject(new Error('the disk is full')), release });
  writes.start({ write: async () => void log.push('written'), release });
  writes.check(); // nothing has failed yet
  await writes.settle();
  expect(log).toEqual(['released', 'released']);
  expect(() => {
    writes.check();
  }).toThrow('the disk is full');
  await expect(writes.finish()).rejects.toThrow('the disk is full');
});
