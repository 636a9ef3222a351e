import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { ModelWeights } from './model-weights.js';

/** Memory of this process that is backed by no file, in MiB. */
const residentMiB = (): number => Number(/RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024;

test('variables that are filled with a constant take the memory of their values once', async () => {
  const weights = new ModelWeights({ specs: [] });
  try {
    const moments = Array.from({ length: 6 }, (_, index) => weights.declare(`moment ${index}`, [4, 1 << 20])); // 16 MiB each
    const before = residentMiB();
    await weights.fill(new Map(moments.map((variable, index) => [variable, index % 2])));
    expect(residentMiB() - before).toBeLessThan(1.5 * 6 * 16);
    const values = await weights.values([moments[0]!, moments[5]!]);
    expect(Array.from(values.values(), (data) => [data.length, data[0], data.at(-1)])).toEqual([
      [1 << 22, 0, 0],
      [1 << 22, 1, 1],
    ]);
  } finally {
    weights.close();
  }
});
