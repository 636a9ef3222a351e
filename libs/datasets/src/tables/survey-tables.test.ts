import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { NautilError } from '@nautil/contracts';
import { withFolder } from '@nautil/testing';
import { convertTables } from './convert-tables.js';
import type { SplitExamples } from './divide-examples.js';
import { formatTableInspection } from './format-table-inspection.js';
import { inspectTables } from './inspect-tables.js';
import { openModelTables } from './model-tables.js';
import { nameDoubts } from './name-doubts.js';
import { labelReader, surveyTables } from './survey-tables.js';
import type { Table } from './table.js';
import { tableExamples } from './table-examples.js';

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

test.each([
  ['a list', '{"text":"a film","label":["x"]}', '"label" has lists or objects'],
  ['an object', '{"text":{"en":"a film"},"label":"x"}', '"text" has lists or objects'],
])('a row whose text or label is not one value is an error with its place: %s', async (_, row, message) => {
  const rows = Array.from({ length: 1500 }, (__, i) => `{"text":"text number ${i}","label":"${i % 2 ? 'x' : 'y'}"}\n`);
  await withFolder({ 'a.jsonl': `${rows.join('')}${row}\n` }, async (folder) => {
    const path = join(folder, 'a.jsonl');
    await expect(surveyTables({ paths: { train: [path] } })).rejects.toThrow(`${path}:1501: column ${message}`);
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

const table = (labels: readonly string[]): string =>
  ['text,label', ...labels.map((label, i) => `text number ${i},${label}`)].map((line) => `${line}\n`).join('');
const nemo = (labels: readonly string[]): string => labels.map((label, i) => `text number ${i}\t${label}\n`).join('');
const withHeader = (labels: readonly string[]): string => `text\tlabel\n${nemo(labels)}`;
const numbers = ['1', '2', '3', '4'];
const words = ['bad', 'good', 'so-so'];

test.each<[string, string[], string, (labels: readonly string[]) => string, string[], number[] | undefined]>([
  ['names that are numbers', numbers, 'a.csv', table, ['1', '2', '4'], [0, 1, 3]],
  ['names that are numbers', numbers, 'a.csv', table, ['2', '3'], [1, 2]],
  ['names that are numbers', numbers, 'a.csv', table, ['0', '1', '2', '3'], undefined],
  ['names that are numbers', numbers, 'a.tsv', withHeader, ['1', '2', '3'], [0, 1, 2]],
  ['names that are numbers', numbers, 'a.tsv', nemo, ['0', '1', '3'], [0, 1, 3]],
  ['names that are numbers', numbers, 'a.tsv', nemo, ['1', '2', '3'], [1, 2, 3]],
  ['names that are numbers', numbers, 'a.tsv', nemo, ['1', '2', '4'], undefined],
  ['names that are words', words, 'a.csv', table, ['good', 'bad', 'so-so'], [1, 0, 2]],
  ['names that are words', words, 'a.csv', table, ['1', '2', '1'], [1, 2, 1]],
  ['names that are words', words, 'a.csv', table, ['1', '3', '1'], undefined],
  ['names that are words', words, 'a.tsv', withHeader, ['1', '2', '1'], [1, 2, 1]],
  ['names that are words', words, 'a.tsv', nemo, ['1', '2', '1'], [1, 2, 1]],
  ['truth values', ['false', 'true'], 'a.csv', table, ['True', 'FALSE', 'true'], [1, 0, 1]],
  ['truth values', ['False', 'True'], 'a.csv', table, ['true', 'false', '1'], [1, 0, 1]],
])(
  'a label means the same class in training with names, in a validation set, and to a model: %s (%j), %s',
  async (_, names, file, content, labels, expected) => {
    const files = {
      [file]: content(labels),
      'names.tsv': names.map((name) => `${name}\n`).join(''),
      'train.csv': table([...names, ...names]),
    };
    await withFolder(files, async (folder) => {
      const [path, labelsFile, train] = [file, 'names.tsv', 'train.csv'].map((name) => join(folder, name)) as [
        string,
        string,
        string,
      ];
      const model = { labels: names, numClasses: names.length, pairs: false };
      const training = idsIn(
        async () => tableExamples(await surveyTables({ paths: { train: [path] }, labelsFile })).train,
      );
      const validation = idsIn(
        async () => tableExamples(await surveyTables({ paths: { train: [train], validation: [path] } })).validation,
      );
      const toModel = async () => {
        const ids: number[] = [];
        for await (const { label } of (await openModelTables({ paths: [path], model })).examples()) ids.push(label);
        return ids;
      };
      for (const reading of [training, validation, toModel()]) {
        if (expected) expect(await reading).toEqual(expected);
        else await expect(reading).rejects.toMatchObject({ kind: 'data', hint: expect.any(String) });
      }
    });
  },
);

async function idsIn(open: () => Promise<SplitExamples | undefined>): Promise<number[]> {
  const ids: number[] = [];
  for await (const { line } of (await open())?.lines() ?? []) ids.push(Number(line.slice(line.lastIndexOf('\t'))));
  return ids;
}

test('without names, the labels of NeMo’s format are ids, whichever of them a file has', async () => {
  await withFolder({ 'a.tsv': nemo(['1', '3', '1']), 'b.tsv': nemo(['0', '-1']) }, async (folder) => {
    const { names, splits } = await surveyTables({ paths: { train: [join(folder, 'a.tsv')] } });
    expect(names).toEqual(['0', '1', '2', '3']);
    expect(splits.train.idOf('3')).toBe(3);
    await expect(surveyTables({ paths: { train: [join(folder, 'b.tsv')] } })).rejects.toMatchObject({
      message: expect.stringMatching(/b\.tsv:2: label -1 is below 0$/),
      hint: expect.stringContaining('as the first line, labels are names'),
    });
  });
});

test('numbers are ids of configured classes only in a table that has label 0, since they may be a part of 1 to 3', async () => {
  const files = { 'from-0.csv': table(['0', '2', '0']), 'from-1.csv': table(['1', '2', '1']) };
  await withFolder(files, async (folder) => {
    const paths = (name: string) => ({ paths: { train: [join(folder, name)] }, numClasses: 3 });
    expect((await surveyTables(paths('from-0.csv'))).names).toEqual(['0', '1', '2']);
    await expect(surveyTables(paths('from-1.csv'))).rejects.toMatchObject({
      hint: expect.stringContaining('or name all classes in model.class_labels.class_labels_file'),
    });
  });
});

test.each([
  [['caf\u00e9', 'cafe\u0301', 'bar'], 'look the same (U+0065 U+0301 and U+00E9), and are two classes'],
  [['good\u200b', 'good', 'bad'], 'look the same (nothing and U+200B), and are two classes'],
  [['Good', 'good', 'bad'], '"Good" and "good" differ only in case, and are two classes'],
  [['null', 'good', 'bad'], '"null" is a class: if it stands for a missing label, remove its examples'],
  [['NaN', 'good', 'bad'], '"NaN" is a class: if it stands for a missing label, remove its examples'],
  [['None', 'good', 'bad'], '"None" is a class: if it stands for a missing label, remove its examples'],
  [['\u200b', 'good', 'bad'], '(U+200B) is a class: if it stands for a missing label, remove its examples'],
])('names of classes that are probably a mistake are reported: %j', async (labels, note) => {
  await withFolder({ 'a.csv': csv('text,label', (i) => `text number ${i},${labels[i % 3]}`) }, async (folder) => {
    const { notes } = await surveyTables({ paths: { train: [join(folder, 'a.csv')] } });
    expect(notes.filter((found) => found.endsWith(note))).toHaveLength(1);
    expect(notes).toHaveLength(3);
  });
});

test('names in other scripts, and those that begin like a missing label, are not reported', () => {
  expect(nameDoubts(['नहीं', 'ни', 'nonesuch', 'nano', 'naïve', '👩‍🚒', '👩', '-'])).toEqual([]);
});

test('of a text that was taken for a label, only the start is shown', async () => {
  const long = 'word '.repeat(20_000);
  const files = { 'a.csv': table([long, 'b', long]), 'b.csv': table([`${long}c`]) };
  await withFolder(files, async (folder) => {
    const [a, b] = ['a.csv', 'b.csv'].map((name) => join(folder, name)) as [string, string];
    const { notes } = await surveyTables({ paths: { train: [a] } });
    expect(notes.join('').length).toBeLessThan(500);
    const model = { labels: ['b', long], numClasses: 2, pairs: false };
    for (const reading of [
      surveyTables({ paths: { train: [a], validation: [b] } }),
      openModelTables({ paths: [b], model }),
    ]) {
      const error = await reading.catch((thrown: unknown) => thrown as NautilError);
      expect(`${(error as Error).message}${(error as NautilError).hint}`.length).toBeLessThan(800);
    }
  });
});

test('a note states whether numbers are read as names or as ids', async () => {
  const files = {
    'words.csv': table([...words, ...words]),
    'numbers.csv': table([...numbers, ...numbers]),
    'dev.csv': table(['1', '2']),
    'dev.tsv': nemo(['1', '2']),
  };
  await withFolder(files, async (folder) => {
    const notesOf = async (train: string, validation: string): Promise<string> =>
      (
        await surveyTables({ paths: { train: [join(folder, train)], validation: [join(folder, validation)] } })
      ).notes.join('\n');
    const ids = 'labels that are whole numbers are taken as ids of classes: 0 = bad, 1 = good, 2 = so-so';
    expect(await notesOf('words.csv', 'dev.csv')).toContain(ids);
    expect(await notesOf('words.csv', 'dev.tsv')).toContain(ids);
    expect(await notesOf('numbers.csv', 'dev.csv')).toContain(
      'labels that are whole numbers are taken as names of classes, and not as ids: 1 has the id 0',
    );
    expect(await notesOf('numbers.csv', 'dev.tsv')).toContain('dev.tsv: labels are the ids of classes');
  });
});

test('all texts that recur are listed where their number is not limited', async () => {
  const recurring = csv('text,label', (i) => `text number ${i % 10},${i % 2}`);
  await withFolder({ 'a.csv': recurring }, async (folder) => {
    const paths = { train: [join(folder, 'a.csv')] };
    expect(formatTableInspection(await inspectTables({ paths }))).toMatch(/^ {6}and 15 more$/m);
    const all = await inspectTables({ paths, places: Infinity });
    expect(all.repetitions).toMatchObject([{ count: 20, places: { length: 20 } }]);
    expect(formatTableInspection(all)).not.toContain(' more');
  });
});

test.each([
  [0, 'a'],
  [1, 'b'],
  [2, 'id 2'],
  [-1, undefined],
  ['', undefined],
])('a label %j of a file with the names a and b is read as %j', (label, expected) => {
  const defined = { classNames: new Map([['label', ['a', 'b']]]) } as unknown as Table;
  expect(labelReader(defined, 'label')(label)).toBe(expected);
});

test.each(['true\nTRUE\nno\n', '1\n1.0\n2\n', 'no\nFalse\nfalse\n'])(
  'names that a table has as one label are an error: %j',
  (names) =>
    withFolder({ 'a.csv': 'text,label\na film,no\nb film,no\n', 'names.txt': names }, async (folder) => {
      const o = { paths: { train: [join(folder, 'a.csv')] }, labelsFile: join(folder, 'names.txt') };
      await expect(surveyTables(o)).rejects.toThrow(/are one label, and name two classes/);
    }),
);
