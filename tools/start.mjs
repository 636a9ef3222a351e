import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

import { readEnvFile } from './setup/read-env-file.mjs';
import { root, setUp } from './setup/set-up.mjs';
import { Interrupted, SetupError } from '../libs/setup/src/setup-error.mjs';

const help = `Usage: npm start -- [options] [overrides...]      (or: node tools/start.mjs …)

Sets the checkout up if necessary, starts Temporal, MLflow and a worker on 127.0.0.1, and fine-tunes
all-MiniLM-L6-v2 on SST-2 (configuration conf/sst2.yaml) as one durable workflow. Ends with the scores, the path of
the .nemo, and the run's addresses. On a terminal the servers stay up until Ctrl-C; otherwise they are stopped.

Options:
  --python PATH      the Python for the set-up's virtual environment
  --help             show this help

Environment: NAUTIL_TEMPORAL_PORT (7233), NAUTIL_TEMPORAL_UI_PORT (8233), NAUTIL_MLFLOW_PORT (5000), NAUTIL_HOME (.nautil)

Examples:
  npm start
  npm start -- trainer.max_epochs=1 nautil.seed=7
`;

const nautil = join(root, 'apps', 'cli', 'bin', 'nautil.mjs');
const interruption = new AbortController();
const { signal } = interruption;
let wake = () => {};
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(name, () => {
    interruption.abort();
    wake();
  });
}

/** Runs one command of `nautil` and resolves to its exit code. */
async function run(args, stdio = 'inherit') {
  const child = spawn(process.execPath, [nautil, ...args], { stdio, cwd: process.env.INIT_CWD ?? process.cwd() });
  // On a terminal Ctrl-C reaches the child by itself.
  wake = () => void (process.stdin.isTTY || child.kill('SIGINT'));
  const [code] = await once(child, 'close');
  return code ?? 1;
}

async function start(overrides) {
  if ((await run(['up'])) !== 0) return 4;
  try {
    const code = signal.aborted ? 130 : await run(['run', '--config-name', 'sst2', ...overrides]);
    if (code === 0 && process.stdout.isTTY && !signal.aborted) {
      console.log('\nThe servers stay up: open the addresses above. Ctrl-C stops them.');
      const stay = setInterval(() => {}, 1 << 30);
      await new Promise((resolve) => (wake = resolve));
      clearInterval(stay);
      return 0;
    }
    return signal.aborted ? 130 : code;
  } finally {
    await run(['down'], ['ignore', 'ignore', 'inherit']);
  }
}

try {
  const { values, positionals } = parseArgs({
    options: { python: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) process.stdout.write(help);
  else {
    readEnvFile();
    await setUp({ signal, python: values.python });
    process.exitCode = await start(positionals);
  }
} catch (thrown) {
  const error = signal.aborted ? new Interrupted() : thrown;
  if (error instanceof SetupError && !process.env.DEBUG) {
    console.error(`start: ${error.message}`);
    if (error.hint) console.error(`  ${error.hint}`);
  } else
    console.error(
      String(error.code).startsWith('ERR_PARSE_ARGS')
        ? `start: ${error.message}\n  \`npm start -- --help\` lists the options`
        : error,
    );
  process.exitCode = String(error.code).startsWith('ERR_PARSE_ARGS') ? 2 : (error.exitCode ?? 1);
}
