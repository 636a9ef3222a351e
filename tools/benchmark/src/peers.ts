/** `npx nx run benchmark:peers`: measures Nautil and its peers alternately, and writes the report. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { smallest } from '@nautil/contracts';
import { experiments } from './experiments.js';
import { describeMachine } from './machine.js';
import type { RunSide } from './measure.js';
import { measureEach } from './measure-each.js';
import { root, stateFolder } from './paths.js';
import { openPythonEnvironment, type PythonEnvironment } from './python-environment.js';
import { mergeReports, parseReport, type Report, rounded } from './report.js';
import type { Row } from './row.js';
import { ourCommand, peerCommand, runSide } from './run-side.js';
import { saveReport } from './save-report.js';

const help = `Usage: npx nx run benchmark:peers [-- options]

Runs Nautil and each peer alternately, each in processes of its own, and writes benchmarks.md, benchmarks.json and plots after each
experiment. Rows that are not measured again are kept from an earlier report of the same machine, mode and versions.
Creates a Python environment with the peers in .nautil/benchmark. Keep the machine idle meanwhile.

Options:
  --quick          fewer runs, and no long experiments: under ten minutes
  --only NAMES     only these experiments, comma-separated
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
const out =
  o.out === undefined ? join(root, o.quick ? 'tmp/benchmark' : 'docs') : resolve(process.env['INIT_CWD'] ?? '.', o.out);
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
  const peers = await openPythonEnvironment(o.python, { gpu: machine.gpu !== undefined }).catch(
    (error: unknown) => error as Error,
  );
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
  const json = join(out, 'benchmarks.json');
  const earlier = parseReport(await readFile(json, 'utf8').catch(() => ''));
  const onStart = (name: string): void => log(`${name} …`);
  for await (const outcome of measureEach(all, run, { only, quick: o.quick, machine, signal, onStart })) {
    if ('reason' in outcome) {
      report.skipped.push(outcome);
      continue;
    }
    report.rows = report.rows.concat(outcome.rows);
    for (const row of outcome.rows) logRow(row);
    // An experiment may take an hour: what is measured must survive an interruption of the next one.
    await saveReport(out, mergeReports(earlier, report, names));
  }
  if (report.rows.length > 0) {
    await saveReport(out, mergeReports(earlier, report, names));
    log(`wrote ${relative(process.cwd(), join(out, 'benchmarks.md'))}`);
  }
  if (!signal.aborted) return;
  log(
    `interrupted; ${report.rows.length > 0 ? 'the report has what was measured before' : 'nothing was measured before'}`,
  );
  process.exitCode = 130;
}

function logRow({ name, ours, peer, unit, ratio, notes }: Row): void {
  const value = (values: number[]): string => (values.length === 0 ? '–' : `${rounded(smallest(values))} ${unit}`);
  log(`  ${name}: ours ${value(ours)}, peer ${value(peer)}, ratio ${ratio?.toFixed(2) ?? '–'}`);
  for (const note of notes) log(`    ${note}`);
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
