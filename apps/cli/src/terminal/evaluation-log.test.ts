import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EvaluationLog } from './evaluation-log.js';

let folder: string;
beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'nautil-evaluation-log-'))));
afterAll(() => rm(folder, { recursive: true }));

const entry = (text: string): string => `[Nautil I 2026-11-27 03:12:35 text_classification_model] ${text}\n`;
const table = (kind: string): string => entry(`${kind}_report: \n    label   precision\n    a   1.00\n    `);
const shown = (kind: string): string => table(kind).trimEnd();

test('only the tables of evaluations are returned, each once, and one that is being written when it is complete', async () => {
  const path = join(folder, 'log');
  await writeFile(path, `${entry('Read 8 examples\n    from a file')}${table('val')}`);
  const log = await EvaluationLog.open(path, { fromEnd: false });
  expect(await log?.next()).toEqual([shown('val')]);
  expect(await log?.next()).toEqual([]);
  const text = table('test');
  await appendFile(path, text.slice(0, 20));
  expect(await log?.next()).toEqual([]);
  await appendFile(path, text.slice(20) + entry('Testing finished!'));
  expect(await log?.next()).toEqual([shown('test')]);
});

test('from the end, what the log has already is left out', async () => {
  const path = join(folder, 'older');
  await writeFile(path, table('val'));
  const log = await EvaluationLog.open(path, { fromEnd: true });
  expect(await log?.next()).toEqual([]);
  await appendFile(path, table('test'));
  expect(await log?.next()).toEqual([shown('test')]);
});

test('there is none where the file is not, as on another machine', async () => {
  expect(await EvaluationLog.open(join(folder, 'missing'), { fromEnd: false })).toBeUndefined();
});
