/**
 * `npx nx run benchmark:settings`: compares the settings that `nautil new` writes with a grid of learning rates, epochs and batch
 * sizes, on samples of three data sets.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { makeStateFolder, nautil } from './ours/command.js';
import { withTemporaryFolder } from './ours/timed-training.js';
import { root } from './paths.js';
import { sample, type SampledData, sampledData } from './settings/sample-data.js';
import { encodings } from './settings/write-table.js';

const help = `Usage: npx nx run benchmark:settings [-- options]

Trains all-MiniLM-L6-v2 on samples of three data sets: with the file that \`nautil new --yes\` writes, and with each point of a grid. Prints a
table of test scores. Results are kept in --out, so that an interrupted call continues when it is repeated.

Options:
  --data FOLDER  the data sets; default: shared/data beside the checkout
  --only NAMES   only these data sets, comma-separated
  --out FILE     default: tmp/benchmark/settings.json
  --help         show this help
`;

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: join(root, '..', 'shared', 'data') },
    only: { type: 'string' },
    out: { type: 'string', default: join(root, 'tmp', 'benchmark', 'settings.json') },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

interface Scores {
  accuracy: number;
  f1: number;
  seconds: number;
}

/** Scores in percent by data set and settings. */
type Results = Record<string, Record<string, Scores>>;

const ownSettings = 'nautil new';
const grid = [
  { lr: 1e-4, batch: 16, epochs: 6 },
  { lr: 2e-4, batch: 16, epochs: 6 },
  { lr: 2e-4, batch: 16, epochs: 3 },
  { lr: 2e-4, batch: 32, epochs: 6 },
  { lr: 1e-4, batch: 32, epochs: 6 },
  { lr: 1e-4, batch: 16, epochs: 3 },
];
const gridName = ({ lr, batch, epochs }: (typeof grid)[number]): string =>
  `lr ${lr.toExponential()}, batch ${batch}, ${epochs} epochs`;

const run = promisify(execFile);

async function command(args: string[], o: { cwd: string; home: string }): Promise<string> {
  // A port on which nothing listens: the runs are not tracked.
  const variables = {
    NAUTIL_HOME: o.home,
    INIT_CWD: o.cwd,
    MLFLOW_TRACKING_URI: 'http://127.0.0.1:1',
    NODE_OPTIONS: '',
  };
  const [program = '', ...rest] = nautil(...args);
  const place = { cwd: o.cwd, env: { ...process.env, ...variables }, maxBuffer: 1 << 26 };
  return (await run(program, rest, place)).stdout;
}

/** Trains on the sample in `cwd`, and reads the test scores from the journal of the run. */
async function train(settings: string[], cwd: string): Promise<Scores> {
  return withTemporaryFolder(async (folder) => {
    const home = await makeStateFolder(join(folder, 'state'));
    const places = [`exp_manager.exp_dir=${folder}`, `model.nemo_path=${join(folder, 'model.nemo')}`];
    const startedAt = performance.now();
    await command(['train', ...settings, ...places], { cwd, home });
    const seconds = (performance.now() - startedAt) / 1000;
    const [newest] = JSON.parse(await command(['runs', 'list', '--json'], { cwd, home })) as [
      { scores: Record<string, number> },
    ];
    const percent = (name: string): number => 100 * (newest.scores[name] ?? NaN);
    return { accuracy: percent('test/accuracy'), f1: percent('test/f1_macro'), seconds };
  });
}

/** What all points of the grid share. They have the length that `nautil new` chose, and keep the weights of the last step. */
const gridSettings = (length: string, { lr, batch, epochs }: (typeof grid)[number]): string[] => [
  'model=minilm',
  'model.train_ds.file_path=train.jsonl',
  'model.test_ds.file_path=test.jsonl',
  `model.dataset.max_seq_length=${length}`,
  'trainer.precision=auto',
  `model.optim.lr=${lr}`,
  `model.train_ds.batch_size=${batch}`,
  `trainer.max_epochs=${epochs}`,
  'exp_manager.create_checkpoint_callback=false',
];

/** A data set in a folder, with the settings to try on it. */
interface PreparedData {
  name: string;
  cwd: string;
  trials: { name: string; settings: string[] }[];
}

/** Writes the sample of a data set and the file of `nautil new`. */
async function prepare(data: SampledData, folder: string): Promise<PreparedData> {
  const cwd = join(folder, data.name);
  await mkdir(cwd);
  for (const split of ['train', 'test'] as const)
    await writeFile(join(cwd, `${split}.jsonl`), encodings.jsonl(await sample(data, split)));
  const home = await makeStateFolder(join(cwd, 'state'));
  await command(['new', 'own', '--data', 'train.jsonl', '--test', 'test.jsonl', '--yes'], { cwd, home });
  const length = /max_seq_length: (\d+)/.exec(await readFile(join(cwd, 'own.yaml'), 'utf8'))?.[1] ?? '';
  const trials = grid.map((point) => ({ name: gridName(point), settings: gridSettings(length, point) }));
  return { name: data.name, cwd, trials: [{ name: ownSettings, settings: ['own.yaml'] }, ...trials] };
}

/** Tries the settings that have no results yet: each on all data sets before the next, so that an interruption leaves comparable rows. */
async function measure(data: readonly SampledData[], results: Results): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const prepared: PreparedData[] = [];
    for (const one of data) prepared.push(await prepare(one, folder));
    for (let trial = 0; trial <= grid.length; trial++) {
      for (const { name, cwd, trials } of prepared) {
        const { name: tried = '', settings = [] } = trials[trial] ?? {};
        const known = (results[name] ??= {});
        if (known[tried]) continue;
        known[tried] = await train(settings, cwd);
        await writeFile(options.out, JSON.stringify(results, null, 2));
        console.error(`${name}: ${tried}: macro F1 ${known[tried].f1.toFixed(1)}`);
      }
    }
  });
}

function report(results: Results): string {
  const lines = Object.entries(results).map(([name, trials]) => {
    const own = trials[ownSettings];
    const points = Object.entries(trials).filter(([settings]) => settings !== ownSettings);
    const [best] = points.sort(([, a], [, b]) => b.f1 - a.f1);
    const shown = (scores: Scores | undefined): string =>
      scores === undefined ? '' : `${scores.f1.toFixed(1)} (${scores.accuracy.toFixed(1)})`;
    const lowest = points.at(-1)?.[1];
    return `| ${name} | ${shown(own)} | ${shown(best?.[1])} | ${best?.[0] ?? ''} | ${shown(lowest)} | ${points.length} |`;
  });
  return [
    '| data | `nautil new` | best of the grid | its settings | worst of the grid | points |',
    '| --- | --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
}

if (options.help) console.log(help);
else {
  await mkdir(resolve(options.out, '..'), { recursive: true });
  const results = JSON.parse(await readFile(options.out, 'utf8').catch(() => '{}')) as Results;
  const only = options.only?.split(',');
  await measure(
    sampledData(options.data).filter(({ name }) => only?.includes(name) ?? true),
    results,
  );
  console.log(report(results));
}
