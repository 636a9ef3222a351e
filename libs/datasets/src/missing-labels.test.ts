import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { LabelSearch } from './missing-labels.js';

test('the words that may be labels keep nothing of the pieces of the file', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const search = new LabelSearch();
  const heapAfter = (pieces: number): number => {
    for (let piece = 0; piece < pieces; piece++) {
      const line = `a text\ta-long-label ${piece}\n`;
      const [first = ''] = Buffer.alloc(1 << 19, line)
        .toString('latin1')
        .split('\n');
      search.add(first, false);
    }
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heapAfter(1);
  expect(heapAfter(100) - before).toBeLessThan(10 * 2 ** 20);
});
