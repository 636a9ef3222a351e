/**
 * `npx nx run benchmark:scaling`: measures how time and memory grow with the sizes of the work, steps on several devices, and what one
 * server carries, and writes the report.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Axis } from './axis.js';
import { capacityAxes, devicesAxis, type LoadAxis } from './capacity/load-axes.js';
import { loadAverage, type LoadTable, tablesOf } from './load-table.js';
import { describeMachine } from './machine.js';
import { measureAxis } from './measure-axis.js';
import { bertBaseConfig, miniLm, root } from './paths.js';
import { rounded } from './report.js';
import { ourCommand, runSide } from './run-side.js';
import { saveScaling } from './save-scaling.js';
import { mergeScaling, parseScalingReport, type ScalingReport } from './scaling-report.js';

const help = `Usage: npx nx run benchmark:scaling [-- options]

Measures time and memory against sentence length, batch size, layers, rows and trials, each point in a process of its own; steps on
several devices; and the load that Temporal, MLflow and the artifact store carry, with servers of its own on free ports. Writes scaling.md,
scaling.json and plots as soon as one of these has been measured. What is not measured again is kept from an earlier report of the same
machine and mode. Keep the machine idle meanwhile.

Options:
  --quick        fewer and smaller sizes and loads
  --only NAMES   only these, comma-separated; none: the page is written again from the earlier report
  --out FOLDER   where the report is written; default: docs, and with --quick tmp/benchmark
  --help         show this help
`;

const { values: o } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const folder = await mkdtemp(join(tmpdir(), 'nautil-scaling-'));

const stepArgs = (rows: number, length: number, model = miniLm): string[] => [
  ...['--model', model, '--rows', String(rows), '--length', String(length)],
  ...['--warm-up', '1', '--steps', '3', '--threads', '0'],
];
const stepFigures = { step: { title: 'a training step', unit: 'ms' }, peak: { title: 'peak memory', unit: 'MB' } };

const axes: Axis[] = [
  {
    name: 'length',
    title: 'tokens per sentence (MiniLM-L6, 8 rows)',
    remark:
      'Attention computes a score for each pair of tokens, so that its part of the time and of the memory grows with the square of the length; the matrix multiplications of the rest grow linearly and prevail up to about 256 tokens. This is inherent in BERT.',
    sizes: [16, 32, 64, 128, 256, 512],
    quickSizes: [16, 64, 256],
    program: 'train-steps',
    args: (length) => stepArgs(8, length),
    figures: stepFigures,
  },
  {
    name: 'batch',
    title: 'rows of a batch (MiniLM-L6, 32 tokens)',
    remark:
      'Time is linear in the rows: small batches use the processor less well. Memory has a constant part (weights, moments, gradients, TensorFlow itself) and the activations of the batch.',
    sizes: [4, 8, 16, 32, 64, 128, 256],
    quickSizes: [8, 32, 128],
    program: 'train-steps',
    args: (rows) => stepArgs(rows, 32),
    figures: stepFigures,
  },
  {
    name: 'layers',
    title: 'layers (of BERT-base’s width, 8 × 32 tokens)',
    remark: 'Both are linear in the layers, beside the embeddings, which do not grow.',
    sizes: [1, 2, 4, 8, 12],
    quickSizes: [1, 2, 4],
    program: 'train-steps',
    args: async (layers) => {
      const model = join(folder, `${layers}-layers.json`);
      const config = JSON.parse(await readFile(bertBaseConfig, 'utf8')) as object;
      await writeFile(model, JSON.stringify({ ...config, num_hidden_layers: layers }));
      return stepArgs(8, 32, model);
    },
    figures: stepFigures,
  },
  {
    name: 'rows',
    title: 'lines of the training file',
    remark:
      'Time is linear in the lines. `inspect` remembers the digests of up to four million different texts to find repeated ones, 32 bytes each; beyond them its memory is constant. A token cache keeps two bytes a line in memory, for its length, and so does a training.',
    sizes: [10_000, 100_000, 1_000_000, 10_000_000],
    quickSizes: [1_000, 10_000, 100_000],
    program: 'scale-rows',
    args: (rows) => ['--rows', String(rows)],
    figures: {
      inspect: { title: 'inspect', unit: 's' },
      tokenize: { title: 'tokenising', unit: 's' },
      first: { title: 'from the token cache to the end of the first step', unit: 's' },
      inspectPeak: { title: 'peak memory of inspect', unit: 'MB' },
      tokenizePeak: { title: 'peak memory until the end of tokenising', unit: 'MB' },
      peak: { title: 'peak memory until the end of the first step', unit: 'MB' },
    },
  },
  {
    name: 'trials',
    title: 'trials of a sweep, two batches each',
    remark:
      'Linear: one trial trains while the next is prepared. They share the tokenised data and the servers, whose start is not part of the time.',
    sizes: [5, 10, 20, 50],
    quickSizes: [2, 4],
    program: 'sweep',
    args: (trials) => ['--trials', String(trials)],
    figures: { sweep: { title: 'the sweep', unit: 's' } },
  },
];

const interruption = new AbortController();
const { signal } = interruption;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, () => interruption.abort());
const loadAxes = [devicesAxis, ...capacityAxes];
const names = [...axes, ...loadAxes].map(({ name }) => name);
const only = o.only === 'none' ? [] : (o.only?.split(',') ?? names);
const unknown = only.filter((name) => !names.includes(name));
if (unknown.length > 0) throw new Error(`nothing is named ${unknown.join(', ')}: ${names.join(', ')}`);
const log = (line: string): void => void process.stderr.write(`${line}\n`);
try {
  if (o.help) process.stdout.write(`${help}\nNames: ${names.join(', ')}\n`);
  else await measureAll();
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function measureAll(): Promise<void> {
  const invoked = process.env['INIT_CWD'] ?? '.';
  const out = o.out === undefined ? join(root, o.quick ? 'tmp/benchmark' : 'docs') : resolve(invoked, o.out);
  const earlier = parseScalingReport(await readFile(join(out, 'scaling.json'), 'utf8').catch(() => ''));
  const report: ScalingReport & Required<Pick<ScalingReport, 'tables'>> = {
    recordedAt: new Date().toISOString(),
    mode: o.quick ? 'quick' : 'full',
    machine: describeMachine(),
    ...{ curves: [], tables: [] },
  };
  if (only.length === 0 && earlier) await saveScaling(out, earlier, axes);
  const incomplete: string[] = [];
  const isChosen = ({ name }: { name: string }): boolean => only.includes(name);
  for (const axis of [...axes, ...loadAxes].filter(isChosen)) {
    const before = report.curves.length + report.tables.length;
    const problem = 'sizes' in axis ? await addCurves(report, axis) : await addTables(report, axis);
    if (problem !== undefined) incomplete.push(axis.name);
    // An axis may take an hour: what is measured must survive an interruption of the next one.
    if (report.curves.length + report.tables.length > before)
      await saveScaling(out, mergeScaling(earlier, report, names, incomplete), axes);
    if (signal.aborted) {
      log('interrupted; the report has what was measured before');
      process.exitCode = 130;
      return;
    }
    if (problem === undefined) continue;
    log(problem);
    process.exitCode = 1;
  }
  if (report.curves.length + report.tables.length > 0) log(`wrote ${relative(process.cwd(), join(out, 'scaling.md'))}`);
}

/** Measures the curves of an axis. Returns why the larger sizes were not measured. */
async function addCurves(report: ScalingReport, axis: Axis): Promise<string | undefined> {
  const { curves, problem } = await measureAxis(
    axis,
    o.quick ? axis.quickSizes : axis.sizes,
    (program, args) => runSide([...ourCommand(program), ...args], signal),
    (size, values) => {
      const shown = values.map(({ figure, value, unit }) => `${figure} ${rounded(value)} ${unit}`);
      log(`${axis.name} ${size}: ${shown.join(', ')}`);
    },
  );
  report.curves = report.curves.concat(curves);
  return problem && `${problem}; larger sizes are not measured`;
}

/** Measures the tables of an axis. Returns why they were not measured. */
async function addTables(report: { tables: LoadTable[] }, { name, program, tables }: LoadAxis) {
  const load = loadAverage();
  try {
    const output = await runSide([...ourCommand(program), ...(o.quick ? ['--quick'] : [])], signal);
    const measured = tablesOf(name, tables, output, load);
    for (const { name: table, columns, rows } of measured) {
      const shown = [columns.map(({ title }) => title), ...rows.map((row) => row.map(rounded))];
      log(`${table}: ${shown.map((cells) => cells.join(', ')).join('; ')}`);
    }
    report.tables = report.tables.concat(measured);
    return undefined;
  } catch (error) {
    return `${name}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
