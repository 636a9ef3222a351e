import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { copyArchive } from '@nautil/formats/testing/copy-archive';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { loadTokenizer } from '@nautil/tokenization';
import { Classifier } from '@nautil/training';

const folder = mkdtempSync(join(tmpdir(), 'nautil-cli-tables-'));
afterAll(() => rmSync(folder, { recursive: true }));
const archive = goldenPath('nemo', 'tiny_bert.nemo');

const start = (...args: string[]) => spawn(process.execPath, [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), ...args]);

const predict = (...args: string[]) => predictWith(archive, ...args);
const predictWith = (model: string, ...args: string[]) => nautil('predict', '--model', model, ...args);

/** Runs a command to its end. */
async function nautil(...args: string[]) {
  const child = start(...args);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  child.stdin.end();
  const [exitCode] = (await once(child, 'close')) as [number];
  return { exitCode, stdout, stderr };
}

function written(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The label that the model gives to each text, and its probability. */
async function expectedOf(texts: string[]): Promise<{ label: string; labelId: number; scores: number[] }[]> {
  const classifier = await Classifier.open(archive, { engine: 'onnxruntime' });
  try {
    return await classifier.predict(texts);
  } finally {
    classifier.close();
  }
}

/** The archive with a record of Nautil, which has the names of the labels. */
async function archiveOf(o: { pairs: boolean }): Promise<string> {
  const path = join(folder, `${o.pairs ? 'pairs' : 'single'}.nemo`);
  const { definition } = await loadTokenizer({ folder: goldenPath('bert-tiny-uncased') });
  const { numClasses, close } = await opened();
  close();
  const labels = Array.from({ length: numClasses }, (_, id) => `class${id}`);
  const record = { version: 1, tokenizer: definition, labels, lineage: {}, ...(o.pairs ? { pairs: true } : {}) };
  await copyArchive(archive, path, () => ({ record: record as unknown as JsonObject }));
  return path;
}

async function opened() {
  const classifier = await Classifier.open(archive, { engine: 'onnxruntime' });
  return { numClasses: classifier.numClasses, close: () => classifier.close() };
}

const reviews = 'id,review,label\n1,"a good, funny film",1\n2,"a ""bad"" film\nin two lines",0\n3,,other\n';
const texts = ['a good, funny film', 'a "bad" film in two lines', ''];

test.each(['reviews.csv', 'reviews.csv.gz'])(
  'a table keeps its columns and its quotation marks, and has labels and scores beside them: %s',
  async (name) => {
    const input = written(name, name.endsWith('.gz') ? gzipSync(reviews) : reviews);
    const [first, second, third] = await expectedOf(texts);
    const { exitCode, stdout, stderr } = await predict('--input', input, '--scores');
    const scoreOf = ({ labelId, scores }: { labelId: number; scores: number[] }): string => scores[labelId]!.toFixed(6);
    expect(stdout).toBe(
      [
        'id,review,label,predicted_label,score',
        `1,"a good, funny film",1,${first!.label},${scoreOf(first!)}`,
        `2,"a ""bad"" film\nin two lines",0,${second!.label},${scoreOf(second!)}`,
        `3,,other,${third!.label},${scoreOf(third!)}`,
        '',
      ].join('\n'),
    );
    expect(stderr).toMatch(/the texts are in "review" \(recognised by name\)/);
    expect(stderr).toContain('note: 1 row without a text: the result is that of an empty one');
    expect(stderr).toMatch(/warning: column "label" has labels, which have no effect on the predictions/);
    const correct = [first!.labelId === 1, second!.labelId === 0].filter(Boolean).length;
    expect(stderr).toContain(`accuracy ${(correct / 2).toFixed(4)}, macro F1`);
    expect(stderr).toMatch(
      /on 2 labelled rows\n.*1 row with another label or none were not counted|1 row with another/s,
    );
    expect(exitCode).toBe(0);
  },
);

test('labels have their names, or their numbers with --label-ids, and are compared by either', async () => {
  const named = await archiveOf({ pairs: false });
  const input = written('names.tsv', 'text\tlabel\na good film\tclass1\na bad film\t0\n');
  const byName = await predictWith(named, '--input', input);
  expect(byName.stdout).toMatch(
    /^text\tlabel\tpredicted_label\na good film\tclass1\tclass\d\na bad film\t0\tclass\d\n$/,
  );
  expect(byName.stderr).toMatch(/accuracy .* on 2 labelled rows/);
  expect(byName.stderr).toContain(
    'note: labels that are whole numbers are taken as ids of classes: 0 = class0, 1 = class1',
  );
  const byNumber = await predictWith(named, '--input', input, '--label-ids');
  expect(byNumber.stdout).toBe(byName.stdout.replaceAll(/class(\d)$/gm, '$1'));
});

test('JSON Lines keep the types of their values, and have the most probable labels', async () => {
  const input = written('a.jsonl', '{"n":1.5,"text":"good film","tags":["x"]}\n{"text":"bad film","n":null}\n');
  const [first] = await expectedOf(['good film', 'bad film']);
  const { stdout } = await predict('--input', input, '--top', '2');
  const [row] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);
  expect(row).toMatchObject({ n: 1.5, text: 'good film', tags: ['x'], predicted_label: first!.label });
  expect(row!['scores']).toEqual(first!.scores);
  expect(row!['logits']).toHaveLength(first!.scores.length);
  const best = [...first!.scores.entries()].sort(([, a], [, b]) => b - a).slice(0, 2);
  expect((row!['top'] as { label_id: number }[]).map(({ label_id }) => label_id)).toEqual(best.map(([id]) => id));
});

test('the name of the output states its format, whatever that of the input is, and other names are refused', async () => {
  const table = written('formats.csv', 'n,text\n1,a good film\n');
  const lines = written('formats.txt', 'a good film\n');
  const { label } = (await expectedOf(['a good film']))[0]!;
  const json = expect.stringMatching(/^\{.*"scores":\[.*"logits":\[.*\}\n$/);
  for (const [input, name, content] of [
    [table, 'a.tsv', `n\ttext\tpredicted_label\n1\ta good film\t${label}\n`],
    [table, 'a.CSV', `n,text,predicted_label\n1,a good film,${label}\n`],
    [table, 'a.jsonl', json],
    [table, 'a.ndjson', json],
    [lines, 'lines.csv', `text,predicted_label\na good film,${label}\n`],
    [lines, 'lines.tsv', `a good film\t${label}\n`],
    [lines, 'lines.jsonl', json],
  ] as const) {
    const output = join(folder, `format-${name}`);
    expect(await predict('--input', input, '--output', output)).toMatchObject({ exitCode: 0 });
    expect(readFileSync(output, 'utf8')).toEqual(content);
  }
  for (const name of ['b.parquet', 'b.json', 'b.csv.gz', 'b.txt', 'b']) {
    const refused = await predict('--input', table, '--output', join(folder, `format-${name}`));
    expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
    expect(refused.stderr).toContain(`${name}: predictions are a table in CSV, TSV or JSON Lines`);
    expect(existsSync(join(folder, `format-${name}`))).toBe(false);
  }
  const other = await predict('--input', table, '--output', join(folder, 'format-c.csv'), '--format', 'jsonl');
  expect(other.stderr).toMatch(/c\.csv is named for another format than --format jsonl/);
  const named = await predict('--input', lines, '--output', join(folder, 'format-c.txt'), '--format', 'tsv');
  expect(named.exitCode).toBe(0);
}, 120_000);

test.each<[what: string, name: string, content: string, rows: string[], args?: string[]]>([
  ['a label is missing', 'labels.tsv', 'text\tlabel\na film\t\nb film\t1\nc film\t0\n', ['a film', 'b film', 'c film']],
  [
    'a label is a word',
    'words.tsv',
    'a film\tgood\nb film\t1\nc film\t0\nd film\n',
    ['a film', 'b film', 'c film', 'd film'],
  ],
  ['no line has a tab', 'lines.tsv', 'order 1\norder 2\norder x\n', ['order 1', 'order 2', 'order x']],
  [
    'the column is named',
    'named.tsv',
    'memo\norder 1\norder 2\n',
    ['memo', 'order 1', 'order 2'],
    ['--text-column', 'memo'],
  ],
  [
    'some texts have commas',
    'one.csv',
    'comment\nfor order 1\nno order, but 2\na third 3\n',
    ['comment', 'for order 1', 'no order, but 2', 'a third 3'],
  ],
  [
    'NeMo’s header is a table’s',
    'table.tsv',
    'review\tstars\na\t1\nb\t0\n',
    ['review\tstars', 'a\t1', 'b\t0'],
    ['--input-format', 'table'],
  ],
  [
    'a table has no header',
    'no-header.tsv',
    'a film\t1\nb film\t0\n',
    ['a film', 'b film'],
    ['--input-format', 'table'],
  ],
])('each line with a text has its prediction: %s', async (_, name, content, rows, args = []) => {
  const { stdout, exitCode } = await predict('--input', written(name, content), ...args);
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(0, line.lastIndexOf('\t'))),
  ).toEqual(rows);
  expect(exitCode).toBe(0);
});

test('a folder of texts for each class is read, and its folders are the labels', async () => {
  const files = [
    ['class0', '1', 'a bad\nfilm'],
    ['class1', '1', 'a good film'],
    ['class1', '2', 'a fine film'],
  ] as const;
  for (const [name, file, text] of files) {
    mkdirSync(join(folder, 'classes', name), { recursive: true });
    written(`classes/${name}/${file}.txt`, text);
  }
  const named = await archiveOf({ pairs: false });
  const { stdout, stderr, exitCode } = await predictWith(named, '--input', join(folder, 'classes'));
  const rows = stdout.trimEnd().split('\n');
  expect(rows.map((line) => (JSON.parse(line) as JsonObject)['label'])).toEqual(files.map(([name]) => name));
  expect(stderr).toMatch(/accuracy .* on 3 labelled rows/);
  expect(exitCode).toBe(0);
});

test('a folder of one table is read, and one of several names them', async () => {
  for (const name of ['one/data', 'several', 'splits/train/a', 'splits/train/b', 'splits/test/a', 'nothing'])
    mkdirSync(join(folder, name), { recursive: true });
  written('one/data/train-00000-of-00001.csv', 'text,n\na good film,1\n');
  for (const name of ['train', 'test']) written(`several/${name}.csv`, 'text,n\na good film,1\n');
  for (const name of ['train/a', 'train/b', 'test/a']) written(`splits/${name}/1.txt`, 'a film');
  const one = await predict('--input', join(folder, 'one'));
  expect(one.stdout).toMatch(/^text,n,predicted_label\na good film,1,.+\n$/);
  for (const [name, message] of [
    ['several', /has 2 tables: .*test\.csv and .*train\.csv\n {2}name one: --input .*several\/test\.csv/],
    ['splits', /has 2 tables: .*splits\/test and .*splits\/train\n/],
    ['nothing', /nothing has neither tables nor folders of texts/],
  ] as const) {
    const { exitCode, stderr } = await predict('--input', join(folder, name));
    expect(stderr).toMatch(message);
    expect(exitCode).toBe(3);
  }
}, 60_000);

test('a record of progress that a crash cut off is none, and the output starts anew', async () => {
  const input = written('cut-in.csv', reviews);
  const output = join(folder, 'cut.csv');
  written('cut.csv.part', '');
  written('cut.csv.part.json', '{"bytes":');
  const { exitCode, stderr } = await predict('--input', input, '--output', output, '--resume');
  expect(stderr).toContain(
    `${output}.part.json, the record of what ${output}.part has, is cut off or damaged: starting`,
  );
  expect(exitCode).toBe(0);
}, 60_000);

describe('a model whose classes have numbers as names that are not their ids', () => {
  const films = ['a good film', 'a bad film', 'a long one', 'a film with another label'];
  let model: string;
  let ids: number[];
  beforeAll(async () => {
    model = join(folder, 'stars.nemo');
    const { definition } = await loadTokenizer({ folder: goldenPath('bert-tiny-uncased') });
    const { numClasses, close } = await opened();
    close();
    const labels = Array.from({ length: numClasses }, (_, id) => String(id + 1));
    const record = { version: 1, tokenizer: definition, labels, lineage: {} };
    await copyArchive(archive, model, () => ({ record: record as unknown as JsonObject }));
    ids = (await expectedOf(films)).map(({ labelId }, row) => (row < 3 ? labelId : (labelId + 1) % numClasses));
  }, 60_000);

  const lines = (lineOf: (text: string, id: number) => string): string =>
    films.map((text, row) => `${lineOf(text, ids[row]!)}\n`).join('');
  const headed = (): string => `text\tlabel\n${lines((text, id) => `${text}\t${id + 1}`)}`;

  test.each<[file: string, content: () => string | Uint8Array, areIds: boolean]>([
    ['ids.tsv', () => lines((text, id) => `${text}\t${id}`), true],
    ['headed.tsv', headed, false],
    ['headed.tsv.gz', () => gzipSync(headed()), false],
    ['more.tsv', () => `text\tlabel\tn\n${lines((text, id) => `${text}\t${id + 1}\t7`)}`, false],
    ['floats.csv', () => `label,text\n${lines((text, id) => `${id + 1}.0,${text}`)}`, false],
    ['numbers.jsonl', () => lines((text, id) => JSON.stringify({ text, label: id + 1 })), false],
  ])(
    'labels are ids in the format of NeMo, and names in a table or below a header, for every command: %s',
    async (file, content, areIds) => {
      const input = written(`stars-${file}`, content());
      const outputs = [
        await predictWith(model, '--input', input),
        await nautil('evaluate', `model.nemo_path=${model}`, `model.test_ds.file_path=${input}`),
        await nautil('inspect', input, '--model', model, '--json'),
      ];
      const note = "labels are the ids of classes, as in NeMo's format: 0 is the class named 1;";
      for (const { stderr } of outputs) expect(stderr.includes(note)).toBe(areIds);
      const [predicted, evaluated, inspected] = outputs;
      expect(predicted!.stderr).toMatch(/accuracy 0\.7500, macro F1 .*, on 4 labelled rows/);
      expect(evaluated!.stdout).toMatch(/accuracy 0\.7500/);
      const { suspectedLabels } = JSON.parse(inspected!.stdout) as {
        suspectedLabels: { classes: { label: string; id: number; examples: number }[] }[];
      };
      for (const { label, id, examples } of suspectedLabels[0]!.classes) {
        expect(label).toBe(String(id + 1));
        expect(examples).toBe(ids.filter((one) => one === id).length);
      }
    },
    120_000,
  );
});

test('a column that does not exist, one that is taken, and a table without columns are errors that name them', async () => {
  const input = written('b.csv', reviews);
  const missing = await predict('--input', input, '--text-column', 'text');
  expect(missing).toMatchObject({ exitCode: 3, stdout: '' });
  expect(missing.stderr).toMatch(/has no column "text", which --text-column names/);
  const taken = await predict('--input', written('c.csv', 'text,predicted_label\na film,1\nb film,0\n'));
  expect(taken).toMatchObject({ exitCode: 2, stdout: '' });
  expect(taken.stderr).toMatch(/the input has a column "predicted_label", which the output adds/);
  const plain = await predict('--input', written('d.txt', 'good film\nbad film\n'), '--input-format', 'table');
  expect(plain).toMatchObject({ exitCode: 3, stdout: '' });
  expect(plain.stderr).toMatch(/no columns are found in it/);
});

test('a prediction to a file that is killed continues with --resume, and ends with the bytes of an undisturbed one', async () => {
  const rows = Array.from(
    { length: 60_000 },
    (_, row) => `${row},a ${row % 977} film of ${row % 13} parts,${row % 2}\n`,
  );
  const input = written('many.csv', `id,text,label\n${rows.join('')}`);
  const args = ['--input', input, '--scores', '--engine', 'onnxruntime', '--output'];
  const [whole, killed] = [join(folder, 'whole.csv'), join(folder, 'killed.csv')];
  const undisturbed = await predict(...args, whole);

  const child = start('predict', '--model', archive, ...args, killed);
  const closed = once(child, 'close');
  while (!existsSync(`${killed}.part.json`) && child.exitCode === null) await setTimeout(5);
  child.kill('SIGKILL');
  expect(await closed).toEqual([null, 'SIGKILL']);
  expect(existsSync(killed)).toBe(false);

  const other = await predict('--input', input, '--engine', 'onnxruntime', '--output', killed, '--resume');
  expect(other).toMatchObject({ exitCode: 2 });
  expect(other.stderr).toMatch(/was written from another input, model or options/);

  const resumed = await predict(...args, killed, '--resume');
  expect(resumed.exitCode).toBe(0);
  expect(resumed.stderr).toMatch(/killed\.csv\.part is continued/);
  expect(readFileSync(killed).equals(readFileSync(whole))).toBe(true);
  expect(readFileSync(whole, 'utf8').split('\n')).toHaveLength(60_002);
  const scoresIn = (text: string) => /accuracy .*/.exec(text)?.[0];
  expect(scoresIn(resumed.stderr)).toBe(scoresIn(undisturbed.stderr));
  expect(scoresIn(resumed.stderr)).toMatch(/on 60000 labelled rows|on 60,000 labelled rows/);
  expect([`${killed}.part`, `${killed}.part.json`].filter((path) => existsSync(path))).toEqual([]);
}, 120_000);

test('--resume without a file to continue, or from standard input, is reported', async () => {
  const input = written('e.csv', reviews);
  const output = join(folder, 'new.csv');
  expect((await predict('--input', input, '--output', output, '--resume')).stderr).toMatch(/starting at the first row/);
  expect(existsSync(output)).toBe(true);
  expect((await predict('--input', '-', '--output', output, '--resume')).exitCode).toBe(2);
  expect((await predict('--input', input, '--resume')).exitCode).toBe(2);
});

test('a model of pairs reads two columns or two texts with a tab between them, and refuses single texts', async () => {
  const pairs = await archiveOf({ pairs: true });
  const lines = written('pairs.txt', 'a film\tit is good\nb film\tit is bad\n');
  const table = written('pairs.csv', 'premise,hypothesis,n\na film,it is good,1\nb film,it is bad,2\n');
  const byLines = await predictWith(pairs, '--input', lines);
  const byTable = await predictWith(pairs, '--input', table);
  expect(byLines.stdout.split('\n').map((line) => line.split('\t')[2])).toEqual(
    byTable.stdout
      .split('\n')
      .map((line) => line.split(',')[3])
      .slice(1),
  );
  expect(byLines.stdout.split('\n')).toHaveLength(3);
  const single = await predictWith(pairs, '--input', written('single.txt', 'a film\n'));
  expect(single).toMatchObject({ exitCode: 3, stdout: '' });
  expect(single.stderr).toMatch(/single\.txt:1: the line has 0 tabs, and the model classifies pairs/);
  const column = await predictWith(pairs, '--input', written('f.csv', reviews));
  expect(column).toMatchObject({ exitCode: 3, stdout: '' });
  expect(column.stderr).toMatch(/only "review" is a column of texts/);
});
