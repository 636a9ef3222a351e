import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { ownCopy } from './own-copy.js';

test('a copy has the code units of the part, whatever they are', () => {
  for (const part of ['', 'naïve', '\u{1f600}', '\ud800 half', '\0']) expect(ownCopy(part)).toBe(part);
});

test.each(['latin1', 'utf16le'] as const)('a copy keeps nothing of a text in %s', (encoding) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const copies: string[] = [];
  const heapAfter = (texts: number): number => {
    for (let text = 0; text < texts; text++)
      copies.push(
        ownCopy(
          Buffer.alloc(1 << 19, 'words of a text; ')
            .toString(encoding)
            .slice(90, 130),
        ),
      );
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = heapAfter(1);
  expect(heapAfter(100) - before).toBeLessThan(10 * 2 ** 20);
  expect(copies).toHaveLength(101);
});
