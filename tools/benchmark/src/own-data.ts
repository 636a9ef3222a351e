/**
 * `npx nx run benchmark:own-data`: takes samples of four data sets from a file to predictions with the commands of the README, as CSV, JSON
 * Lines and Parquet, and measures each command.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { nautil, timeCommand } from './ours/command.js';
import { withTemporaryFolder } from './ours/timed-training.js';
import { withServers } from './ours/with-servers.js';
import { root } from './paths.js';
import { chineseData, sample, type SampledData, sampledData } from './settings/sample-data.js';
import { encodings } from './settings/write-table.js';

const help = `Usage: npx nx run benchmark:own-data [-- options]

Writes samples of four data sets as CSV, JSON Lines and Parquet, and runs the README's commands on each: inspect, new, run and predict, with
all-MiniLM-L6-v2. Prints a table of seconds and test scores.

Options:
  --data FOLDER    the data sets; default: shared/data beside the checkout
  --only NAMES     only these data sets, comma-separated
  --formats NAMES  only these of csv, jsonl and parquet, comma-separated
  --help           show this help
`;

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: join(root, '..', 'shared', 'data') },
    only: { type: 'string' },
    formats: { type: 'string', default: Object.keys(encodings).join() },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

type Format = keyof typeof encodings;
const commands = ['inspect', 'new', 'run', 'predict'] as const;
interface Row {
  name: string;
  seconds: number[];
  accuracy: number;
}

/** Times the commands on one file. The servers and the worker are up, as after `nautil up`. */
async function fromFileToPredictions(
  { name: data, rows }: { name: string; rows: Record<'train' | 'test', string | Uint8Array> },
  { format, cwd, env: servers }: { format: Format; cwd: string; env: Record<string, string> },
): Promise<Row> {
  const env = { ...servers, INIT_CWD: cwd };
  const place = (split: string): string => join(cwd, `${data}-${split}.${format}`);
  const [train, test, id] = [place('train'), place('test'), `${data}-${format}`];
  await writeFile(train, rows.train);
  await writeFile(test, rows.test);
  const line: Record<(typeof commands)[number], string[]> = {
    inspect: ['inspect', train],
    new: ['new', id, '--data', train, '--test', test, '--encoder', 'minilm', '--yes'],
    run: ['run', join(cwd, `${id}.yaml`), '--workflow-id', id],
    predict: [
      'predict',
      '--model',
      join(cwd, 'models', `${id}.nemo`),
      '--input',
      test,
      '--output',
      join(cwd, `${id}.csv`),
    ],
  };
  const seconds: number[] = [];
  for (const command of commands) seconds.push(await timeCommand(nautil(...line[command]), { env }));
  const [program = '', ...shown] = nautil('runs', 'show', id, '--json');
  const { stdout } = await promisify(execFile)(program, shown, { env: { ...process.env, ...env }, maxBuffer: 1 << 26 });
  const accuracy = (JSON.parse(stdout) as { scores: Record<string, number> }).scores['test/accuracy'] ?? NaN;
  console.error(`${id}: ${seconds.map((value) => value.toFixed(1)).join(', ')} s, accuracy ${accuracy.toFixed(3)}`);
  return { name: id, seconds, accuracy };
}

async function measure(sets: readonly SampledData[], formats: readonly Format[]): Promise<Row[]> {
  return withTemporaryFolder((folder) =>
    withServers(folder, async (env) => {
      const measured: Row[] = [];
      for (const data of sets) {
        const [train, test] = [await sample(data, 'train'), await sample(data, 'test')];
        for (const format of formats) {
          const encode = encodings[format];
          const file = { name: data.name, rows: { train: encode(train), test: encode(test) } };
          measured.push(await fromFileToPredictions(file, { format, cwd: folder, env }));
        }
      }
      return measured;
    }),
  );
}

const shown = ({ name, seconds, accuracy }: Row): string => {
  const total = seconds.reduce((sum, value) => sum + value, 0);
  return `| ${[name, ...[...seconds, total].map((value) => value.toFixed(1)), (100 * accuracy).toFixed(1)].join(' | ')} |`;
};

if (options.help) console.log(help);
else {
  const only = options.only?.split(',');
  const sets = [...sampledData(options.data), chineseData(options.data)];
  const formats = options.formats.split(',').filter((name): name is Format => name in encodings);
  const measured = await measure(
    sets.filter(({ name }) => only?.includes(name) ?? true),
    formats,
  );
  console.log(
    [
      `| data | ${commands.join(' s | ')} s | total s | accuracy |`,
      `|${' --- |'.repeat(commands.length + 3)}`,
      ...measured.map(shown),
    ].join('\n'),
  );
}
