import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { describeDamage, Journal, readJournal, readJournalId } from './journal.js';
import { summarizeJournal } from './summarize-journal.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-journal-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('damaged lines are reported with file and line, and the records around them are read', async () => {
  const path = join(folder, 'damaged.jsonl');
  const journal = new Journal(path);
  journal.append({ type: 'tags', tags: { a: '1' } });
  journal.close();
  appendFileSync(path, '{"type":"metrics","rows":[["loss",0.5,');
  const reopened = new Journal(path); // a torn line must not swallow the next record
  reopened.append({ type: 'tags', tags: { b: '2' } });
  reopened.close();
  appendFileSync(path, '{"type":"params","params":{"lr":1}}\n{"type":"unknown"}\n');

  const { entries, damaged } = await readJournal(path, 0);
  expect(entries.map(({ record }) => record)).toEqual([
    { type: 'tags', tags: { a: '1' } },
    { type: 'tags', tags: { b: '2' } },
  ]);
  expect(await Promise.all(damaged.map((line) => describeDamage(path, line)))).toEqual([
    expect.stringMatching(/damaged\.jsonl:3 is not JSON: /),
    expect.stringMatching(/damaged\.jsonl:5 is invalid: value\/params\/lr must be string$/),
    expect.stringMatching(/damaged\.jsonl:6 is invalid: value\/type is unknown: "unknown"$/),
  ]);
  expect(await summarizeJournal(path)).toMatchObject({ records: 2, unsent: 2 });
});

test('reading continues at the returned offset, whatever the size of the buffer', async () => {
  const path = join(folder, 'long.jsonl');
  const journal = new Journal(path);
  const contents = ['x'.repeat(10), 'y'.repeat(10_000), 'z'];
  for (const content of contents) journal.append({ type: 'text', path: 'a', content });
  journal.close();
  expect(await readJournalId(path)).toMatch(/^[0-9a-f-]{36}$/);
  const read: string[] = [];
  for (let offset = 0; ;) {
    const { entries, end } = await readJournal(path, offset, 16);
    if (end === offset) break;
    offset = end;
    for (const { record } of entries) if (record.type === 'text') read.push(record.content);
  }
  expect(read).toEqual(contents);
});

test('an incomplete last line is neither a record nor damaged until the next record ends it', async () => {
  const path = join(folder, 'torn.jsonl');
  const journal = new Journal(path);
  journal.append({ type: 'tags', tags: { a: '1' } });
  journal.close();
  const whole = (await readJournal(path, 0)).end;
  appendFileSync(path, '{"type":"tags","tags":{"b":');
  expect(await readJournal(path, whole)).toEqual({ entries: [], damaged: [], end: whole });

  const reopened = new Journal(path);
  reopened.append({ type: 'tags', tags: { b: '2' } });
  reopened.close();
  const { entries, damaged } = await readJournal(path, whole);
  expect(entries.map(({ record }) => record)).toEqual([{ type: 'tags', tags: { b: '2' } }]);
  expect(damaged).toHaveLength(1);
});

test('the records of several writers of one journal are all whole, each writer’s in order', async () => {
  const path = join(folder, 'shared.jsonl');
  const writers = Array.from({ length: 3 }, () => new Journal(path));
  for (let n = 0; n < 50; n++) {
    for (const [who, journal] of writers.entries()) {
      journal.append({ type: 'text', path: String(who), content: `${n} ${'x'.repeat(20_000)}` });
    }
  }
  for (const journal of writers) journal.close();

  const { entries, damaged } = await readJournal(path, 0, 8 * 1024 * 1024);
  expect(damaged).toEqual([]);
  for (const who of ['0', '1', '2']) {
    const written = entries.flatMap(({ record }) =>
      record.type === 'text' && record.path === who ? [parseInt(record.content)] : [],
    );
    expect(written).toEqual(Array.from({ length: 50 }, (_, n) => n));
  }
});
