import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import { convertTables } from './convert-tables.js';
import { formatTableInspection } from './format-table-inspection.js';
import { inspectTables } from './inspect-tables.js';
import { openModelTables } from './model-tables.js';
import { surveyTables } from './survey-tables.js';

const csv = (header: string, row: (i: number) => string): string =>
  `${[header, ...Array.from({ length: 30 }, (_, i) => row(i))].join('\n')}\n`;

test.each([
  ['numbers', [1, 2, 5], 'the classes are id 0: "1", id 1: "2", id 2: "5"'],
  ['ids', [0, 1, 2], 'the classes are 0, 1, 2'],
  ['words', ['bad', 'good', 'so-so'], 'the classes are 0 = bad, 1 = good, 2 = so-so'],
])('ids and names of classes are told apart where the names are %s', async (_, labels, note) => {
  await withFolder({ 'a.csv': csv('text,label', (i) => `text number ${i},${labels[i % 3]}`) }, async (folder) => {
    expect((await surveyTables({ paths: { train: [join(folder, 'a.csv')] } })).notes).toContain(note);
  });
});

test('the report states how each column was found, and which ones are not read', async () => {
  await withFolder({ 'a.csv': csv('id,b,queue', (i) => `${i},text number ${i},${i % 2}`) }, async (folder) => {
    const { notes } = await surveyTables({ paths: { train: [join(folder, 'a.csv')] }, columns: { label: 'queue' } });
    expect(notes[0]).toMatch(/\(text recognised by content, label as set\); columns not read: id$/);
  });
});

test('a label that the names of an earlier conversion lack names another folder as a remedy', async () => {
  const files = { 'label_ids.tsv': 'bad\ngood\n', 'a.csv': csv('text,label', (i) => `text number ${i},${i % 2}x`) };
  await withFolder(files, async (folder) => {
    const converting = convertTables({ source: join(folder, 'a.csv'), target: join(folder, 'a.tsv') });
    await expect(converting).rejects.toMatchObject({ hint: expect.stringMatching(/name another folder$/) });
  });
});

test('a model of pairs reads pairs in NeMo’s TSV', async () => {
  await withFolder({ 'a.tsv': 'a film\tit is good\t1\nb film\tit is bad\t0\n' }, async (folder) => {
    const model = { labels: ['no', 'yes'], numClasses: 2, pairs: true };
    const { examples } = await openModelTables({ paths: [join(folder, 'a.tsv')], model });
    const found: object[] = [];
    for await (const { text, textPair, label } of examples()) found.push({ text, textPair, label });
    expect(found).toEqual([
      { text: 'a film', textPair: 'it is good', label: 1 },
      { text: 'b film', textPair: 'it is bad', label: 0 },
    ]);
  });
});

test.each([
  ['球队在比赛中获得胜利的消息令人高兴', false],
  ['the team won the match', true],
])('words of %j are counted: %s', async (text, hasWords) => {
  await withFolder({ 'a.csv': csv('text,label', (i) => `${text}${i},${i % 2}`) }, async (folder) => {
    const shown = formatTableInspection(await inspectTables({ paths: { train: [join(folder, 'a.csv')] } }));
    expect(/^ +words /m.test(shown)).toBe(hasWords);
    expect(shown).toMatch(/^ +characters /m);
  });
});
