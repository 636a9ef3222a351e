import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { convert, download, resolveRun } from '@nautil/activities/stages';
import { NautilError } from '@nautil/contracts';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';

// Writes files of each kind that people have, and prints what `nautil inspect` and the convert stage of a run make of them.

const root = mkdtempSync(join(tmpdir(), 'nautil-kinds-'));
beforeAll(() => {
  process.env['NAUTIL_HOME'] = join(root, 'home');
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

interface Kind {
  /** Files by name; the first is inspected, and is the training data. */
  files: Record<string, string | Uint8Array>;

  /** The folder that is inspected, and is the source, in place of the first file. */
  folder?: string;

  /** Part of what `inspect` prints. */
  inspect: RegExp;

  /** The training file that the run makes, or part of its error with the remedy. */
  run: string | RegExp;

  /** The names of the classes. */
  names?: string;
}

const names = 'neg\npos\n';
const tsv = 'a good film\t1\na bad film\t0\n';
const parquet = (
  metadata: { key: string; value: string }[] = [],
  labels: (string | number)[] = ['pos', 'neg'],
): Uint8Array =>
  new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'text', data: ['a good film', 'a bad film'], type: 'STRING' },
        { name: 'label', data: labels, ...(typeof labels[0] === 'number' ? { type: 'INT32' } : { type: 'STRING' }) },
      ],
      kvMetadata: metadata,
    }),
  );
const features = { label: { names: ['neg', 'pos'], _type: 'ClassLabel' }, text: { dtype: 'string', _type: 'Value' } };
const many = (row: (index: number) => string): string =>
  Array.from({ length: 30 }, (_, index) => `${row(index)}\n`).join('');

const kinds: Readonly<Record<string, Kind>> = {
  "NeMo's TSV": { files: { 'a.tsv': tsv }, inspect: /The file is trainable/, run: tsv },
  "NeMo's TSV with a header": {
    files: { 'a.tsv': `sentence\tlabel\n${tsv}` },
    inspect: /a header: skipped/,
    run: `sentence\tlabel\n${tsv}`,
  },
  "NeMo's TSV with lines without a label": {
    files: { 'a.tsv': `sentence\tlabel\n${tsv}${tsv}a fine film\t\na long film\n` },
    inspect: /lines whose last word is not an integer: skipped/,
    run: `sentence\tlabel\n${tsv}${tsv}a fine film\t\na long film\n`,
  },
  'TSV with a header and numbers in the last column': {
    files: { 'a.tsv': 'ticket\tmessage\tpriority\n7\ta good film\t2\n8\ta bad film\t1\n9\ta fine film\t2\n' },
    inspect: /text column message, label column priority .*columns not read: ticket/,
    run: 'a good film\t1\na bad film\t0\na fine film\t1\n',
    names: '1\n2\n',
  },
  'one column of texts that end in numbers': {
    files: { 'a.csv': 'comment\nI have been waiting since 2019\nwhere is my parcel 7\na third 3\n' },
    inspect: /no column is recognised as the label/,
    run: /no column is recognised as the label/,
  },
  'CSV with a text in quotation marks': {
    files: { 'a.csv': 'text,label\n"a ""good"", long\nfilm",pos\na bad film,neg\n' },
    inspect: /CSV \(separated by commas\): text column text, label column label/,
    run: 'a "good", long film\t1\na bad film\t0\n',
    names,
  },
  'CSV with semicolons and Windows line ends': {
    files: { 'a.csv': '\ufeffTexto;Etiqueta\r\na good film;pos\r\na bad film;neg\r\n' },
    inspect: /separated by semicolons\): text column Texto, label column Etiqueta/,
    run: tsv,
    names,
  },
  'CSV without a header': {
    files: { 'a.csv': 'pos,a good film\nneg,a bad film\npos,a fine film\n' },
    inspect: /no header\): text column 2, label column 1 \(recognised by content/,
    run: 'a good film\t1\na bad film\t0\na fine film\t1\n',
    names,
  },
  'CSV with numbers as labels': {
    files: { 'a.csv': 'id,review,stars\n1,a good film,10.0\n2,a bad film,2.0\n' },
    inspect: /label column stars \(recognised by name\); columns not read: id/,
    run: tsv,
    names: '2\n10\n',
  },
  'TSV with a header and words as labels': {
    files: { 'a.tsv': 'label\ttext\npos\ta good film\nneg\ta bad film\n' },
    inspect: /is TSV: text column text/,
    run: tsv,
    names,
  },
  'TSV in quotation marks': {
    files: { 'a.tsv': '"text"\t"label"\n"a good film"\t"1"\n"a bad film"\t"0"\n' },
    inspect: /is TSV: text column text/,
    run: tsv,
    names: '0\n1\n',
  },
  'a folder with the truth values of pandas in CSV, and those of JSON': {
    files: {
      'truth/train.csv': 'text,label\na good film,True\na bad film,False\n',
      'truth/validation.jsonl': '{"text":"a fine film","label":true}\n{"text":"a poor film","label":false}\n',
    },
    folder: 'truth',
    inspect: /label column label/,
    run: 'a good film\t1\na bad film\t0\n',
    names: 'false\ntrue\n',
  },
  'JSON Lines with booleans': {
    files: { 'a.jsonl': '{"text":"a good film","label":true}\n{"text":"a bad film","label":false}\n' },
    inspect: /is JSON Lines/,
    run: tsv,
    names: 'false\ntrue\n',
  },
  'JSON Lines by gzip, named as text': {
    files: { 'a.txt': gzipSync('{"text":"a good film","label":"pos"}\n{"text":"a bad film","label":"neg"}\n') },
    inspect: /is JSON Lines \(packed by gzip\)/,
    run: tsv,
    names,
  },
  'a JSON array': {
    files: {
      'a.json': JSON.stringify(
        [
          { text: 'a good film', label: 'pos' },
          { text: 'a bad film', label: 'neg' },
        ],
        null,
        2,
      ),
    },
    inspect: /is JSON: /,
    run: tsv,
    names,
  },
  'a JSON object of columns': {
    files: { 'a.json': JSON.stringify({ text: { 0: 'a good film', 1: 'a bad film' }, label: { 0: 'pos', 1: 'neg' } }) },
    inspect: /an object of columns/,
    run: tsv,
    names,
  },
  Parquet: { files: { 'a.parquet': parquet() }, inspect: /is Parquet/, run: tsv, names },
  'Parquet with the classes of Hugging Face': {
    files: { 'a.parquet': parquet([{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }], [1, 0]) },
    inspect: /0 = neg, 1 = pos/,
    run: tsv,
    names,
  },
  'a folder of shards': {
    files: { 'hf/data/train-00000-of-00002.parquet': parquet(), 'hf/data/train-00001-of-00002.parquet': parquet() },
    folder: 'hf',
    inspect: /train: 4 examples/,
    run: `${tsv}${tsv}`,
    names,
  },
  'a folder for each class': {
    files: { 'texts/neg/1.txt': 'a bad\nfilm', 'texts/pos/1.txt': 'a good film' },
    folder: 'texts',
    inspect: /has one folder for each class/,
    run: 'a bad film\t0\na good film\t1\n',
    names,
  },
  'two texts': {
    files: { 'a.csv': 'premise,hypothesis,label\na b,c d,entailment\na b,e f,contradiction\n' },
    inspect: /text columns premise and hypothesis/,
    run: 'a b\tc d\t1\na b\te f\t0\n',
    names: 'contradiction\nentailment\n',
  },
  'columns that fit equally well': {
    files: { 'a.csv': `one,two,three\n${many((index) => `text number ${index},other text ${index},${index % 2}`)}` },
    inspect: /the text may be in "one", "two"[^]*--text-column=one/,
    run: /the text may be in "one", "two"[^]*one +"text number 0"[^]*nautil\.data\.text_column=one/,
  },
  'swapped columns': {
    files: { 'a.csv': `text,label\n${many((index) => `${index % 2 ? 'pos' : 'neg'},a film with number ${index}`)}` },
    inspect: /the two look swapped/,
    run: /the two look swapped[^]*nautil\.data\.text_column=label nautil\.data\.label_column=text/,
  },
  'numbers to predict': {
    files: { 'a.csv': `text,score\n${many((index) => `a film with number ${index},0.${index + 10}1`)}` },
    inspect: /they are measures, not classes/,
    run: /they are measures, not classes/,
  },
  'an Excel workbook': {
    files: { 'a.csv': 'PK\u0003\u0004 [Content_Types].xml xl/workbook.xml' },
    inspect: /is an Excel workbook, not text[^]*save the sheet as CSV/,
    run: /is an Excel workbook, not text[^]*save the sheet as CSV/,
  },
  'a zip archive': {
    files: { 'a.csv': 'PK\u0003\u0004 train.csv' },
    inspect: /is a zip archive[^]*unpack it/,
    run: /is a zip archive[^]*unpack it/,
  },
  'UTF-16 without a byte order mark': {
    files: { 'a.csv': Buffer.from('text,label\na good film,pos\na bad film,neg\n', 'utf16le') },
    inspect: /is UTF-16LE, not UTF-8[^]*iconv -f UTF-16LE -t UTF-8 \S*a\.csv/,
    run: /is UTF-16LE, not UTF-8/,
  },
  'a cut JSON array': {
    files: { 'a.json': `[${'{"text":"a b","label":"x"},'.repeat(3)}{"text":"c` },
    inspect: /ends after row 3 without its closing bracket/,
    run: /ends after row 3 without its closing bracket/,
  },
  'texts alone': {
    files: { 'a.txt': 'a good film\na bad film\n' },
    inspect: /The file is not trainable/,
    run: /has no valid line/,
  },
};

const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');

function inspected(cwd: string, path: string): Promise<string> {
  const child = spawn(process.execPath, [program, 'inspect', path], { cwd, env: { ...process.env, NODE_OPTIONS: '' } });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  return new Promise((resolve) => child.on('close', () => resolve(output)));
}

async function converted(folder: string, { files, folder: source }: Kind) {
  const [first = ''] = Object.keys(files);
  const run = await resolveRun({
    workflowId: 'kinds',
    runKey: folder.replaceAll('/', '-'),
    taskQueue: 'q',
    overrides: [
      `exp_manager.exp_dir=${join(folder, 'runs')}`,
      source === undefined
        ? `model.train_ds.file_path=${join(folder, first)}`
        : `nautil.data.source=${join(folder, source)}`,
      `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
      'model.dataset.num_classes=null',
      'nautil.data.validation_fraction=0',
    ],
  });
  const downloaded = await download({ run });
  expect(downloaded.detail).toContain(`data ${folder}`);
  const data = await convert({ run, source: downloaded });
  return {
    train: readFileSync(data.train.path, 'utf8'),
    names: data.labels === undefined ? undefined : readFileSync(data.labels.path, 'utf8'),
  };
}

test.each(Object.entries(kinds))(
  '%s: inspect and a run agree',
  async (name, kind) => {
    const folder = join(root, String(Object.keys(kinds).indexOf(name)));
    for (const [file, content] of Object.entries(kind.files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), content);
    }
    const [first = ''] = Object.keys(kind.files);
    expect(await inspected(folder, kind.folder ?? first)).toMatch(kind.inspect);
    if (typeof kind.run === 'string') {
      expect(await converted(folder, kind)).toEqual({ train: kind.run, names: kind.names });
      return;
    }
    const error: unknown = await converted(folder, kind).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(NautilError);
    const { message, hint = '' } = error as NautilError;
    expect(`${message}\n${hint}`).toMatch(kind.run);
  },
  60_000,
);
