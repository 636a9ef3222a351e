import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { peakMemory } from './peak-memory.js';

const program = `import { peakMemory } from ${JSON.stringify(new URL('peak-memory.ts', import.meta.url).href)};
console.log(peakMemory());`;
const peakOfChild = (): number =>
  Number(
    execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
      env: { ...process.env, NODE_OPTIONS: '' },
    }),
  );

test('the peak of a process does not contain the size of the one that started it, and stays when memory is freed', () => {
  const before = peakMemory();
  let large: Buffer | undefined = Buffer.alloc(700e6, 1);
  expect(large.at(-1)).toBe(1);
  const peak = peakMemory();
  expect(peak).toBeGreaterThan(700e6);
  expect(peak - before).toBeLessThan(900e6);
  expect(peakOfChild()).toBeLessThan(400e6);
  large = undefined;
  // Linux sums counters of each processor, which it updates now and then: equal peaks may differ by some hundred kilobytes.
  expect(peakMemory()).toBeGreaterThan(peak - 10e6);
});

test('the peak can be restarted once memory is freed', () => {
  const source = JSON.stringify(new URL('peak-memory.ts', import.meta.url).href);
  const freeing = `import { peakMemory, restartPeakMemory } from ${source};
let large = Buffer.alloc(300e6, 1);
large = undefined;
gc();
const before = peakMemory();
restartPeakMemory();
console.log(before - peakMemory());`;
  const args = ['--expose-gc', '--import', 'tsx', '--input-type=module', '--eval', freeing];
  const fell = Number(execFileSync(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } }));
  expect(fell).toBeGreaterThan(250e6);
});
