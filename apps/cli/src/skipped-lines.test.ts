import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { openInput, rowChunks } from './predict/input-rows.js';
import { SkippedLines } from './skipped-lines.js';

test.each([0, 1, 10])('%d skipped lines are all shown', (count) => {
  const printed: string[] = [];
  const skipped = new SkippedLines('a.tsv', (message) => printed.push(message));
  for (let line = 1; line <= count; line++) skipped.add({ line, reason: 'blank line' });
  skipped.end();
  expect(printed).toHaveLength(count);
});

test('of many skipped lines, the first ten and the number of the others are shown', async () => {
  const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await withFolder({ 'a.tsv': 'a film\t1\n \n'.repeat(5000) }, async (folder) => {
      const input = join(folder, 'a.tsv');
      let texts = 0;
      const rows = await openInput({ input, inputFormat: 'tsv' }, { pairs: false, numClasses: 2 });
      for await (const chunk of rowChunks(rows, { input, batchSize: 1 })) texts += chunk.length;
      expect(texts).toBe(5000);
      const printed = write.mock.calls.map(([text]) => String(text)).filter((text) => text.includes(input));
      expect(printed).toHaveLength(11);
      expect(printed[9]).toMatch(/a\.tsv:20: skipped: blank line\n$/);
      expect(printed[10]).toBe(`${input}: 4990 more lines skipped, 5000 in all\n`);
    });
  } finally {
    write.mockRestore();
  }
});
