import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { ResumableFile } from './resumable-file.js';

const record = { identity: 'i', bytes: 5, chunks: 1, state: {} };

test.each<[found: string, files: Record<string, string>, reason: RegExp]>([
  ['nothing', {}, /there is no \S*a\.part to continue/],
  ['no record', { 'a.part': 'old\n' }, /a\.part has no record of its progress \(\S*a\.part\.json\)/],
  ...['', '{"bytes":', 'null', '{}', '[]', JSON.stringify({ ...record, bytes: -1 })].map(
    (text) =>
      [text, { 'a.part': 'old\n', 'a.part.json': text }, /a\.part\.json, .* is cut off or damaged/] as [
        string,
        Record<string, string>,
        RegExp,
      ],
  ),
  [
    'less than the record states',
    { 'a.part': 'old\n', 'a.part.json': JSON.stringify(record) },
    /a\.part has 4 bytes, fewer than the 5/,
  ],
])('a file that can not be continued starts anew, and states what was found: %s', async (_, files, reason) => {
  await withFolder(files, async (folder) => {
    const { file, written } = await ResumableFile.open(join(folder, 'a'), { identity: 'i', resume: true });
    expect(written).toMatch(reason);
    await file.append('new', () => ({}));
    await file.finish();
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('new');
  });
});

test('a file in a new folder creates the folder', async () => {
  await withFolder({}, async (folder) => {
    const { file } = await ResumableFile.open(join(folder, 'new', 'deep', 'a'), { identity: 'i', resume: false });
    await file.finish();
    expect(readFileSync(join(folder, 'new', 'deep', 'a'), 'utf8')).toBe('');
  });
});
