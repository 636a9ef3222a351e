import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { findEncoder } from '@nautil/formats/encoder';
import { packageRoot } from '@nautil/store/folders';
import { type CommandResult, nautil } from './testing/drill.js';
import { programEnvironment } from './testing/program-environment.js';

// Trains the installed encoder on reviews of which a tenth have the wrong label, and looks for these labels.

const root = mkdtempSync(join(tmpdir(), 'nautil-noise-'));
const nowhere = { temporalAddress: '127.0.0.1:9', mlflowUri: 'http://127.0.0.1:9' }; // the discard port, where nothing listens
const command = (...args: string[]): Promise<CommandResult> =>
  nautil({ home: join(root, 'home'), ...nowhere }, args, { ...programEnvironment(join(root, 'home')), INIT_CWD: root });

const names = ['negative', 'positive'];
const rowsOf = { train: 800, heldOut: 1000 };

interface Suspected {
  split: string;
  examples: number;
  suspects: { place: string; label: string; other: string; labelScore: number; otherScore: number }[];
}
let printed: CommandResult;
let found: Suspected[];

const pathOf = (name: string): string => join(root, name);

/** Every tenth row has another label. */
const isWrong = (line: number): boolean => line % 10 === 0;

beforeAll(async () => {
  const all = readFileSync(join(packageRoot(), 'samples/sst-2/train.tsv'), 'utf8')
    .split('\n')
    .flatMap((line) =>
      [...line.matchAll(/^(.+?)\s*\t([01])$/g)].map(([, text = '', label]) => ({ text, id: Number(label) })),
    );
  const write = (name: string, rows: typeof all): void => {
    const lines = rows.map(({ text, id }, row) =>
      [text, names[isWrong(row + 2) ? 1 - id : id]].map((cell) => JSON.stringify(cell)),
    );
    writeFileSync(join(root, name), ['"text","label"', ...lines].map((line) => `${String(line)}\n`).join(''));
  };
  write('train.csv', all.slice(0, rowsOf.train));
  write('held-out.csv', all.slice(rowsOf.train, rowsOf.train + rowsOf.heldOut));
  const trained = await command(
    ...[
      'train',
      'model.train_ds.file_path=train.csv',
      'nautil.data.validation_fraction=0',
      'model.nemo_path=noisy.nemo',
    ],
    ...['model=minilm', `model.language_model.pretrained_model_name=${await findEncoder('all-MiniLM-L6-v2')}`],
    ...['model.optim.lr=2e-4', 'model.train_ds.batch_size=16', 'trainer.max_epochs=3', 'trainer.accelerator=cpu'],
  );
  expect(trained).toMatchObject({ exitCode: 0 });
  const given = ['inspect', pathOf('train.csv'), pathOf('held-out.csv'), '--model', pathOf('noisy.nemo')];
  printed = await command(...given, '--output', pathOf('suspects.csv'));
  const json = await command(...given, '--json');
  expect(json).toMatchObject({ exitCode: 0 });
  found = (JSON.parse(json.stdout) as { suspectedLabels: Suspected[] }).suspectedLabels;
}, 1_800_000);
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** The probability that `draws` of `total` rows, taken at random, have `hits` of the `marked` rows or more. */
function chanceOf({
  hits,
  draws,
  marked,
  total,
}: {
  hits: number;
  draws: number;
  marked: number;
  total: number;
}): number {
  const logFactorials = [0];
  for (let n = 1; n <= total; n++) logFactorials.push(logFactorials[n - 1]! + Math.log(n));
  const logChoose = (n: number, k: number): number => logFactorials[n]! - logFactorials[k]! - logFactorials[n - k]!;
  let sum = 0;
  for (let k = Math.max(hits, draws + marked - total); k <= Math.min(draws, marked); k++)
    sum += Math.exp(logChoose(marked, k) + logChoose(total - marked, draws - k) - logChoose(total, draws));
  return sum;
}

const lineOf = (place: string): number => Number(/:(\d+)$/.exec(place)?.[1]);

test.each(['train', 'validation'])(
  'the suspected labels of the %s split have wrong ones far more often than as many rows taken at random',
  (split) => {
    const { suspects, examples } = found.find((one) => one.split === split)!;
    const wrong = Array.from({ length: examples }, (_, row) => row + 2).filter(isWrong);
    const hits = suspects.filter(({ place }) => isWrong(lineOf(place))).length;
    // Rows taken at random pass this once in a million times, whatever the data and the seed are.
    expect(chanceOf({ hits, draws: suspects.length, marked: wrong.length, total: examples })).toBeLessThan(1e-6);
  },
);

test('a suspected label is at its place in the file, and the most doubtful ones are first', () => {
  for (const { suspects, split } of found) {
    const file = split === 'train' ? 'train.csv' : 'held-out.csv';
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    for (const { place, label } of suspects) expect(lines[lineOf(place) - 1]).toMatch(new RegExp(`,"${label}"$`));
    const margins = suspects.map(({ otherScore, labelScore }) => otherScore - labelScore);
    expect(margins).toEqual([...margins].sort((a, b) => b - a));
  }
});

test('the terminal shows the suspected labels by class with the limits of the method, and the table has all of them', () => {
  const count = found.reduce((sum, { suspects }) => sum + suspects.length, 0);
  expect(readFileSync(join(root, 'suspects.csv'), 'utf8').trim().split('\n')).toHaveLength(1 + count);
  expect(printed.stderr).toContain(`suspects.csv: ${count} suspected label`);
  for (const name of names)
    expect(printed.stdout).toMatch(new RegExp(`^ {4}${name}: \\d+ of \\d+ \\(mean probability`, 'm'));
  expect(printed.stdout).toContain(
    'Of examples that the model was trained on, it has learnt some wrong labels by heart',
  );
});

test('options that need a model, a list with another extension and labels of another model are errors', async () => {
  writeFileSync(pathOf('odd.csv'), 'text,label\na film,good\nb film,bad\n');
  const model = ['--model', pathOf('noisy.nemo')];
  for (const [file, args, exitCode, message] of [
    ['train.csv', ['--output', 'a.csv'], 2, /--output is for the suspected labels, which need a model/],
    ['train.csv', [...model, '--output', 'a.txt'], 2, /a\.txt: the list of examples is a table in CSV, TSV or JSON/],
    ['noisy.nemo', model, 2, /--model finds suspected labels in labelled texts/],
    ['odd.csv', model, 3, /odd\.csv has 2 labels that the model does not know:\n {2}"good": 1 row/],
  ] as const) {
    const result = await command('inspect', pathOf(file), ...args);
    expect({ exitCode: result.exitCode, stdout: result.stdout }).toEqual({ exitCode, stdout: '' });
    expect(result.stderr).toMatch(message);
  }
}, 120_000);
