import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { convert, download, resolveRun } from './index.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'nautil-tables-'));
  process.env['NAUTIL_HOME'] = home;
});
afterEach(() => {
  rmSync(home, { recursive: true, force: true });
});

const at = (name: string): string => join(home, name);

async function converted(files: Record<string, string | Buffer>, ...overrides: string[]) {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), content);
  }
  const run = await resolveRun({
    workflowId: 'w',
    runKey: randomUUID(),
    taskQueue: 'q',
    overrides: [
      `exp_manager.exp_dir=${at('runs')}`,
      `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
      'model.dataset.num_classes=null',
      ...overrides,
    ],
  });
  const source = await download({ run });
  const data = await convert({ run, source });
  const short = (text: string): string => text.replaceAll(`${home}/`, '');
  return { ...data, notes: data.notes?.map(short), downloaded: short(source.detail) };
}

const contentOf = (ref: { path: string } | undefined): string => readFileSync(String(ref?.path), 'utf8');
const train = (name: string): string => `model.train_ds.file_path=${at(name)}`;
const validation = (name: string): string => `model.validation_ds.file_path=${at(name)}`;
const rows = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `text number ${index},${index % 4 === 0 ? 'neg' : 'pos'}`);
const whole = 'nautil.data.validation_fraction=0';

test('a CSV file becomes the files of a run, and its labels are the names of the classes', async () => {
  const csv = 'id,Review Text,sentiment\n1,"good, and\nvery  long",positive\n2,bad,negative\n3,,negative\n';
  const data = await converted(
    { 'train.csv': csv, 'dev.csv': 'Review Text,sentiment\nfine,positive\n' },
    train('train.csv'),
    validation('dev.csv'),
  );
  expect(contentOf(data.train)).toBe('good, and very long\t1\nbad\t0\n');
  expect(contentOf(data.validation)).toBe('fine\t1\n');
  expect(contentOf(data.labels)).toBe('negative\npositive\n');
  expect(data.numClasses).toBe(2);
  expect(data.downloaded).toMatch(/^data train\.csv, encoder /);
  expect(data.notes).toContainEqual(
    expect.stringContaining(
      'train.csv is CSV (separated by commas): text column Review Text, label column sentiment (recognised by name); columns not read: id',
    ),
  );
  expect(data.notes).toContainEqual(expect.stringContaining('the classes are 0 = negative, 1 = positive'));
  expect(data.notes).toContainEqual(
    expect.stringContaining('1 row without a text or a label skipped (the first is train.csv:5)'),
  );
});

test('two texts become two columns, and the data says that it consists of pairs', async () => {
  const data = await converted(
    { 'nli.jsonl': '{"premise":"a b","hypothesis":"c","label":2}\n{"premise":"d","hypothesis":"e","label":0}\n' },
    train('nli.jsonl'),
    whole,
  );
  expect(data.pairs).toBe(true);
  expect(contentOf(data.train)).toBe('a b\tc\t1\nd\te\t0\n');
  expect(contentOf(data.labels)).toBe('0\n2\n');
});

test('columns that the user names take precedence over those that are recognised', async () => {
  const data = await converted(
    { 'a.csv': 'text,other,label\na b,c d,x\ne f,g h,y\n' },
    train('a.csv'),
    whole,
    'nautil.data.text_column=other',
    'nautil.data.text_pair_column=text',
  );
  expect(contentOf(data.train)).toBe('c d\ta b\t0\ng h\te f\t1\n');
  await expect(converted({}, train('a.csv'), 'nautil.data.label_column=mark')).rejects.toThrow(
    /a\.csv has no column "mark", which nautil.data.label_column names/,
  );
});

describe('without a validation set', () => {
  test('a table gets one with the same share of each class, which the seed determines', async () => {
    const csv = { 'train.csv': `text,label\n${rows(100).join('\n')}\nalone,rare\n` };
    const first = await converted(csv, train('train.csv'));
    expect(first.examples).toEqual({ train: 90, validation: 11 });
    expect(contentOf(first.validation).match(/\d$/gm)?.sort().join('')).toBe('00011111111');
    expect(contentOf(first.train)).toContain('alone\t2\n');
    expect(first.notes).toContainEqual(
      expect.stringContaining(
        'without a validation set, 11 of 101 training examples became one: the same share of each class; 1 class with fewer than two texts of its own stays in the training set (nautil.data.validation_fraction=0.1, nautil.seed=42)',
      ),
    );
    expect(contentOf((await converted({}, train('train.csv'))).validation)).toBe(contentOf(first.validation));
    const other = await converted({}, train('train.csv'), 'nautil.seed=7');
    expect(contentOf(other.validation)).not.toBe(contentOf(first.validation));
    const all = [...contentOf(other.train).split('\n'), ...contentOf(other.validation).split('\n')].filter(Boolean);
    expect(new Set(all).size).toBe(101);
  });

  const copied = Array.from({ length: 40 }, (_, i) => ({ text: `text ${i % 10}`, label: i % 2 ? 'x' : 'y' }));
  const lineOf = (row: object): string => `${JSON.stringify(row)}\n`;
  test.each<[string, Record<string, string>]>([
    [
      'a CSV file',
      { 'all/train.csv': `text,label\n${copied.map(({ text, label }) => `${text}  ,${label}\n`).join('')}` },
    ],
    ['the layout of Hugging Face', { 'all/data/train-00000-of-00001.jsonl': copied.map(lineOf).join('') }],
    ['class folders', Object.fromEntries(copied.map(({ text, label }, i) => [`all/${label}/${i}.txt`, text]))],
    [
      'pairs',
      {
        'all/train.jsonl': copied.map(({ text, label }) => lineOf({ premise: 'p', hypothesis: text, label })).join(''),
      },
    ],
  ])('copies of a text are on one side of the division: %s', async (_, files) => {
    const data = await converted(files, `nautil.data.source=${at('all')}`, 'nautil.data.validation_fraction=0.2');
    expect(data.examples).toEqual({ train: 32, validation: 8 });
    const inTrain = new Set(contentOf(data.train).split('\n').filter(Boolean));
    const lines = contentOf(data.validation).split('\n').filter(Boolean);
    expect(new Set(lines).size).toBe(2);
    expect(lines.filter((line) => inTrain.has(line))).toEqual([]);
    expect(data.notes?.join('; ')).toContain(
      '10 texts occur more than once, and all copies of each are in one of the two sets (',
    );
  });

  test("NeMo's TSV is used as it is, unless the user sets the fraction", async () => {
    const tsv = { 'train.tsv': 'header\tlabel\na\t0\nb\t1\nc\t1\nd\t0\n' };
    const asInNemo = await converted(tsv, train('train.tsv'));
    expect(asInNemo.train.path).toBe(at('train.tsv'));
    expect(asInNemo.validation).toBeUndefined();
    const divided = await converted({}, train('train.tsv'), 'nautil.data.validation_fraction=0.5');
    expect(divided.examples).toEqual({ train: 2, validation: 2 });
    expect(divided.labels).toBeUndefined();
    expect(
      [...contentOf(divided.train).split('\n'), ...contentOf(divided.validation).split('\n')].sort().join(' '),
    ).toBe('  a\t0 b\t1 c\t1 d\t0');
  });
});

test('a setting of the division without effect is reported', async () => {
  const files = { 'a.csv': 'text,label\na b,x\nc d,y\n', 'b.csv': 'text,label\na b,x\n' };
  const { notes } = await converted(
    files,
    train('a.csv'),
    validation('b.csv'),
    ...['model.train_ds.num_samples=9', 'nautil.data.sample=random'],
  );
  expect(notes).toContainEqual(
    expect.stringContaining('nautil.data.sample has no effect: no num_samples is less than the examples'),
  );
  const source = [`nautil.data.source=${at('both')}`, 'nautil.data.validation_fraction=0.2'];
  const both = { 'both/train.csv': files['a.csv'], 'both/dev.csv': files['b.csv'] };
  expect((await converted(both, ...source)).notes).toContainEqual(
    expect.stringContaining('nautil.data.validation_fraction has no effect: the data has a validation set'),
  );
});

test.each([
  ['CSV', 'csv', (lines: string[]) => `text,label\n${lines.map((row) => `${row}\n`).join('')}`],
  ["NeMo's TSV", 'tsv', (lines: string[]) => lines.map((row) => `${row.replace(',', '\t')}\n`).join('')],
])('evaluated texts that are in the training data are counted, whatever their labels: %s', async (_, type, file) => {
  const files = {
    [`a.${type}`]: file(['a b,0', 'c d,1', 'e f,1']),
    [`b.${type}`]: file(['a b,0', 'c d,0', 'g h,1']),
    [`c.${type}`]: file(['e f,1', 'i j,0']),
  };
  const splits = [train(`a.${type}`), validation(`b.${type}`), `model.test_ds.file_path=${at(`c.${type}`)}`] as const;
  const { notes } = await converted(files, ...splits);
  const remedy = 'so the scores are too good: remove them there (npx nautil inspect with both files lists them)';
  expect(notes).toContain(`2 of 3 validation texts are in the training data, too, ${remedy}`);
  expect(notes).toContain(`1 of 2 test texts is in the training data, too, ${remedy}`);
  expect((await converted({}, splits[0], `model.validation_ds.file_path=${at(`c.${type}`)}`)).notes).toContainEqual(
    expect.stringContaining('1 of 2 validation texts'),
  );
});

describe('num_samples', () => {
  const csv = { 'train.csv': `text,label\n${rows(100).join('\n')}\n` };
  const ten = 'model.train_ds.num_samples=10';

  test('takes a random sample of a table, which the seed determines', async () => {
    const data = await converted(csv, train('train.csv'), whole, ten);
    expect(data.examples).toEqual({ train: 10 });
    const sample = contentOf(data.train);
    expect(sample).not.toMatch(/^text number 0\t.*\ntext number 1\t/);
    expect(contentOf((await converted({}, train('train.csv'), whole, ten)).train)).toBe(sample);
    expect(data.notes).toContainEqual(expect.stringContaining('10 of 100 train examples were taken at random'));
  });

  test('takes the first examples with nautil.data.sample=first, as in NeMo', async () => {
    const data = await converted(csv, train('train.csv'), whole, ten, 'nautil.data.sample=first');
    expect(data.examples).toEqual({ train: 10 });
    expect(contentOf(data.train).split('\n')).toHaveLength(101);
  });

  test("takes the first lines of NeMo's TSV, and a random sample on request", async () => {
    const tsv = {
      'train.tsv': `${rows(100)
        .map((row) => row.replace(/,(?:(neg)|pos)$/, (_, neg) => `\t${neg ? 0 : 1}`))
        .join('\n')}\n`,
    };
    expect((await converted(tsv, train('train.tsv'), ten)).train.path).toBe(at('train.tsv'));
    const random = await converted({}, train('train.tsv'), ten, 'nautil.data.sample=random');
    expect(contentOf(random.train).split('\n')).toHaveLength(11);
    expect(random.examples).toEqual({ train: 10 });
  });
});

describe('a folder', () => {
  const source = (name: string): string => `nautil.data.source=${at(name)}`;

  test('has shards of Parquet or JSON Lines in the layout of Hugging Face', async () => {
    const data = await converted(
      {
        'hub/data/train-00000-of-00002.jsonl': '{"text":"a","label":"x"}\n',
        'hub/data/train-00001-of-00002.jsonl': '{"text":"b","label":"y"}\n',
        'hub/data/validation-00000-of-00001.jsonl.gz': gzipSync('{"text":"c","label":"y"}\n'),
        'hub/data/test-00000-of-00001.jsonl': '{"text":"d","label":-1}\n',
        'hub/README.md': '# A data set',
      },
      source('hub'),
    );
    expect(contentOf(data.train)).toBe('a\t0\nb\t1\n');
    expect(contentOf(data.validation)).toBe('c\t1\n');
    expect(data.test).toBeUndefined();
    expect(data.notes).toContainEqual(
      expect.stringContaining('has no labels (each is -1), so the model is not tested on it'),
    );
  });

  test('has a folder for each class', async () => {
    const data = await converted(
      { 'imdb/train/pos/1.txt': 'good\nfilm', 'imdb/train/neg/1.txt': 'bad', 'imdb/test/pos/1.txt': 'fine' },
      source('imdb'),
      whole,
    );
    expect(contentOf(data.train)).toBe('bad\t0\ngood film\t1\n');
    expect(contentOf(data.test)).toBe('fine\t1\n');
    expect(contentOf(data.labels)).toBe('neg\npos\n');
  });

  test('with several data sets needs the name of one', async () => {
    const files = Object.fromEntries(
      ['sst2', 'cola'].map((name) => [`glue/${name}/train.csv`, `text,label\n${name} a,x\nb,y\n`]),
    );
    await expect(converted(files, source('glue'))).rejects.toMatchObject({
      message: expect.stringContaining('has more than one data set: cola, sst2'),
      hint: 'choose one: nautil.data.subset=cola',
    });
    const data = await converted({}, source('glue'), whole, 'nautil.data.subset=sst2');
    expect(contentOf(data.train)).toBe('sst2 a\t0\nb\t1\n');
  });
});

test('a label that the training data lacks is an error with its line', async () => {
  const files = { 'a.csv': 'text,label\na b,Pos\nc d,neg\n', 'b.csv': 'text,label\na,neg\nb,pos\nc,odd\n' };
  await expect(converted(files, train('a.csv'), validation('b.csv'))).rejects.toMatchObject({
    message: expect.stringMatching(/b\.csv:3: label "pos" does not occur .*\n.*b\.csv:4: label "odd" does not occur/),
    hint: 'write "Pos", as in the training data',
  });
});

test('a file of names gives the classes their order', async () => {
  const names = `model.class_labels.class_labels_file=${at('names.tsv')}`;
  const files = { 'a.csv': 'text,label\na b,low\nc d,high\n', 'names.tsv': 'low\nmiddle\nhigh\n' };
  const data = await converted(files, train('a.csv'), whole, names);
  expect(contentOf(data.train)).toBe('a b\t0\nc d\t2\n');
  expect(data.numClasses).toBe(3);
  const numbered = await converted({ 'a.csv': 'text,label\na b,0\nc d,2\n' }, train('a.csv'), whole, names);
  expect(contentOf(numbered.train)).toBe('a b\t0\nc d\t2\n');
  await expect(converted({ 'a.csv': 'text,label\na b,low\nc d,tall\n' }, train('a.csv'), names)).rejects.toThrow(
    /a\.csv:3: label "tall" is not among the names in/,
  );
});
