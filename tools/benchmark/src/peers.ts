/** `npx nx run benchmark:peers`: measures Nautil and its peers alternately, and writes the report. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import { smallest } from '@nautil/contracts';
import { ratioChart, runsChart } from './charts.js';
import { experiments } from './experiments.js';
import { describeMachine, hasBfloat16 } from './machine.js';
import { measure, type RunSide } from './measure.js';
import { root, stateFolder } from './paths.js';
import { openPythonEnvironment, type PythonEnvironment } from './python-environment.js';
import { markdownOf, mergeReports, parseReport, type Report, rounded } from './report.js';
import { rowOf } from './row.js';
import { ourCommand, peerCommand, runSide } from './run-side.js';

const help = `Usage: npx nx run benchmark:peers [-- options]

Runs Nautil and each peer alternately, each in processes of its own, and writes benchmarks.md, benchmarks.json and plots.
Creates a Python environment with the peers in .nautil/benchmark. Keep the machine idle meanwhile.

Options:
  --quick          fewer runs, and no long experiments: under ten minutes
  --only NAMES     only these experiments, comma-separated; the other rows of an earlier report of the same machine, mode and
                   versions are kept
  --out FOLDER     where the report is written; default: docs, and with --quick tmp/benchmark
  --python PATH    the Python for the environment; default: NAUTIL_PYTHON, else python3
  --help           show this help
`;

const { values: o } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    out: { type: 'string' },
    python: { type: 'string', default: process.env['NAUTIL_PYTHON'] ?? 'python3' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
const log = (line: string): void => void process.stderr.write(`${line}\n`);

const machine = describeMachine();
const all = experiments({ quick: o.quick, threads: machine.cores });
const names = all.map(({ name }) => name);
if (o.help) {
  process.stdout.write(`${help}\nExperiments: ${names.join(', ')}\n`);
} else {
  const only = o.only?.split(',');
  const unknown = only?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) throw new Error(`no experiment is named ${unknown.join(', ')}: ${names.join(', ')}`);
  await benchmark(only);
}

async function benchmark(only: readonly string[] | undefined): Promise<void> {
  const peers = await openPythonEnvironment(o.python).catch((error: unknown) => error as Error);
  if (peers instanceof Error) log(`the peers cannot run: ${peers.message}`);
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, () => interruption.abort());
  const { signal } = interruption;
  const run: RunSide = ({ program, args = [] }, whose) => {
    if (whose === 'ours') return runSide([...ourCommand(program), ...args], signal);
    if (peers instanceof Error) throw peers;
    return runSide([...peerCommand(peers.python, program), ...args], signal);
  };

  const report: Report = {
    recordedAt: new Date().toISOString(),
    mode: o.quick ? 'quick' : 'full',
    commit: await currentCommit(),
    machine,
    versions: await versionsOf(peers),
    rows: [],
    skipped: [],
  };
  for (const experiment of all) {
    const { name, needs, notQuick, rows } = experiment;
    if (only && !only.includes(name)) continue;
    const reason =
      needs === 'bfloat16' && !hasBfloat16(machine)
        ? 'the processor has no bfloat16 instructions'
        : o.quick && !only?.includes(name)
          ? notQuick
          : undefined;
    if (reason !== undefined) {
      report.skipped.push({ name, reason });
      continue;
    }
    log(`${name} …`);
    const measured = await measure(experiment, run);
    if (signal.aborted) {
      log('interrupted; nothing is written');
      process.exitCode = 130;
      return;
    }
    for (const spec of rows) {
      const row = rowOf(name, spec, measured);
      report.rows.push(row);
      const value = (values: number[]): string =>
        values.length === 0 ? '–' : `${rounded(smallest(values))} ${row.unit}`;
      log(`  ${row.name}: ours ${value(row.ours)}, peer ${value(row.peer)}, ratio ${row.ratio?.toFixed(2) ?? '–'}`);
      for (const note of row.notes) log(`    ${note}`);
    }
  }
  await write(report, only !== undefined);
}

async function write(measured: Report, isPart: boolean): Promise<void> {
  const out =
    o.out === undefined
      ? join(root, o.quick ? 'tmp/benchmark' : 'docs')
      : resolve(process.env['INIT_CWD'] ?? '.', o.out);
  const json = join(out, 'benchmarks.json');
  const earlier = isPart ? parseReport(await readFile(json, 'utf8').catch(() => '')) : undefined;
  const report = mergeReports(earlier, measured, names);
  await mkdir(join(out, 'benchmarks'), { recursive: true });
  await writeFile(json, `${JSON.stringify(report, undefined, 2)}\n`);
  const options = await resolveConfig(join(root, 'docs', 'benchmarks.md'));
  const markdown = await format(markdownOf(report), { ...options, parser: 'markdown' });
  await writeFile(join(out, 'benchmarks.md'), markdown);
  await writeFile(join(out, 'benchmarks', 'ratios.svg'), ratioChart(report.rows));
  await writeFile(join(out, 'benchmarks', 'runs.svg'), runsChart(report.rows));
  log(`wrote ${relative(process.cwd(), join(out, 'benchmarks.md'))}`);
}

async function versionsOf(peers: PythonEnvironment | Error): Promise<Record<string, string>> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return {
    Nautil: version,
    Node: process.versions.node,
    TensorFlow: readdirSync(join(stateFolder, 'tensorflow')).join(', '),
    ...(peers instanceof Error ? {} : peers.versions),
  };
}

async function currentCommit(): Promise<string> {
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('git', args, { cwd: root })).stdout.trim();
  try {
    const commit = await git('rev-parse', '--short=10', 'HEAD');
    return (await git('status', '--porcelain')) === '' ? commit : `${commit}-dirty`;
  } catch {
    return 'unknown';
  }
}
