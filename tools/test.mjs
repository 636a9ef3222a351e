import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Interrupted, SetupError } from '../libs/setup/src/setup-error.mjs';
import { chosenGoldenSet } from '../libs/testing/src/golden-sets.cjs';
import { setUp } from './setup/set-up.mjs';
import { root, runNx } from './test/run-nx.mjs';

const help = `Usage: npm test            (or: node tools/test.mjs)

Sets the checkout up if necessary, checks lint, types, format, unused code, spelling and the titles of new
commits, and runs every project's tests: unit tests, tests against reference data, and integration tests
with real servers on free ports. The last line is "N passed, N failed"; the exit code is 0 when nothing failed.

Environment:
  GOLDEN               the golden set: a folder of reference data, relative to the workspace root
                       (default: ../shared/golden where it exists, otherwise tests/golden)
  TEST_LIMIT_MINUTES   time limit of all tests together; projects still running then count as failed (default 60)

One project:    npx nx run store:test
Every key:      npx nx run tests:every-key
Distributed:    npx nx run tests:distributed    (longer: tests:distributed:long)
The documents:  npx nx run cli:docs
The tutorial:   npx nx run tools:tutorial       (as a notebook: tools:notebook, which installs Jupyter)
The drills:     npx nx run tests:drills
`;

// Each list has a processor core of its own: lint takes about as long as the others together.
const checkLists = [['lint'], ['typecheck', 'format', 'knip', 'spell', 'commits']];

/** Tests with targets of their own: the first two take minutes, and only `docs` has to be repeated when a document changes. */
const ownTargets = ['every-key', 'distributed', 'docs'];
const ownSuites = ['tests-every-key', 'tests-distributed', 'cli-docs'];
const defaultLimitMinutes = 60;
const results = join(root, 'tmp', 'test-results');

const interruption = new AbortController();
const { signal } = interruption;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => interruption.abort());

try {
  const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
  if (values.help) process.stdout.write(help);
  else process.exitCode = await test();
} catch (thrown) {
  const error = signal.aborted ? new Interrupted() : thrown;
  const expected = error instanceof SetupError && !process.env.DEBUG;
  console.error(expected ? `test: ${error.message}\n  ${error.hint}` : error);
  console.log('0 passed, 1 failed');
  process.exitCode = error.exitCode ?? 1;
}

async function test() {
  const limit = limitMinutes();
  const env = testEnvironment();
  await setUp({ signal });
  const failedChecks = (await Promise.all(checkLists.map((checks) => runChecks(checks, env)))).flat();
  const failed = [...failedChecks];
  const skipped = [];
  let passed = checkLists.flat().length - failedChecks.length;

  rmSync(results, { recursive: true, force: true });
  // Without a limit, one hanging test would keep the counts of all other projects from being reported.
  const timeout = AbortSignal.timeout(limit * 60_000);
  const targets = ['test', ...ownTargets].join(',');
  const run = await runNx(
    ['run-many', `--targets=${targets}`, '--parallel=2', '--output-style=static', '--nxBail=false'],
    {
      signal: AbortSignal.any([signal, timeout]),
      env,
    },
  );
  signal.throwIfAborted();
  const cutOff = timeout.aborted ? `were still running after ${limit} minutes` : 'did not run to their end';

  for (const suite of [...(await testedProjects(env)), ...ownSuites].sort()) {
    const counts = readCounts(suite);
    if (!counts) {
      failed.push(`${suite}: its tests ${cutOff}`);
      continue;
    }
    if (counts.passed + counts.failed.length + counts.skipped.length === 0) skipped.push(`${suite}: nothing to run`);
    passed += counts.passed;
    for (const name of counts.failed) failed.push(`${suite}: ${name}`);
    for (const name of counts.skipped) skipped.push(`${suite}: ${name}`);
  }
  // A crash after the last test fails a run in which every test passed.
  if (run.exitCode !== 0 && failed.length === failedChecks.length) {
    failed.push(`nx run-many --targets=${targets}: exit code ${run.exitCode}`);
  }

  if (skipped.length > 0) console.log(`\n${skipped.length} skipped:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
  if (failed.length > 0) console.log(`\nfailed:\n${failed.map((name) => `  ${name}`).join('\n')}`);
  console.log(`\n${passed} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
}

/** Runs checks one after another. Returns the names of those that failed. */
async function runChecks(checks, env) {
  const failed = [];
  for (const check of checks) {
    const { exitCode } = await runNx(['run', `nautil:${check}`, '--output-style=static'], { signal, env });
    signal.throwIfAborted();
    if (exitCode !== 0) failed.push(`nautil:${check}`);
  }
  return failed;
}

/** Removes the user's own settings, which must not affect the tests: they start their own servers. */
function testEnvironment() {
  const env = {
    ...process.env,
    CI: 'true',
    NX_DAEMON: 'false',
    NX_LOAD_DOT_ENV_FILES: 'false', // .env may set the variables that are removed below
    NX_TUI: 'false',
    FORCE_COLOR: '0',
    GOLDEN: goldenSet(),
  };
  for (const name of Object.keys(env)) {
    if (/^(MLFLOW_|TEMPORAL_|OTEL_|NAUTIL_(?!HOME$))/.test(name)) delete env[name];
  }
  return env;
}

function goldenSet() {
  try {
    return chosenGoldenSet();
  } catch (error) {
    throw new SetupError(error.message, {
      exitCode: 2,
      hint: 'Set GOLDEN to a folder of reference data, or unset it.',
    });
  }
}

function limitMinutes() {
  const given = process.env.TEST_LIMIT_MINUTES ?? String(defaultLimitMinutes);
  const minutes = Number(given);
  if (given.trim() !== '' && minutes > 0 && minutes < 10_000) return minutes;
  throw new SetupError(`TEST_LIMIT_MINUTES is "${given}", which is not a number of minutes above 0.`, {
    exitCode: 2,
    hint: `Unset it for the default of ${defaultLimitMinutes}, or set it to the time that the tests may take.`,
  });
}

async function testedProjects(env) {
  const { output } = await runNx(['show', 'projects', '--with-target', 'test', '--json'], {
    signal,
    env,
    capture: true,
  });
  return JSON.parse(output.slice(output.indexOf('[')));
}

function readCounts(suite) {
  try {
    return JSON.parse(readFileSync(join(results, `${suite}.json`), 'utf8'));
  } catch {
    return undefined;
  }
}
