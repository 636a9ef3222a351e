import type { Command } from 'commander';
import { defineError } from '@nautil/contracts';
import { examples } from '../help.js';
import { interruption } from '../interruption.js';
import { printMessage } from '../output.js';

interface SetupFlags {
  python?: string;
  gpu?: true;
  dryRun?: true;
}

/** The set-up failed for a reason that the user can act on. */
class SetupFailed extends defineError('SetupFailed', 'environment', { retryable: true }) {}

export function addSetup(program: Command): void {
  program
    .command('setup')
    .summary('install the servers, the TensorFlow library and the default weights')
    .description(
      'Installs what Nautil needs into its state folder: a Python virtual environment with MLflow and Temporal, the TensorFlow ' +
        'library, and the default weights. Skips what is already installed. An interrupted set-up can be repeated.',
    )
    .option(
      '--python <path>',
      'the Python for the virtual environment (default: NAUTIL_PYTHON, else the first suitable one on the PATH)',
    )
    .option('--gpu', 'install TensorFlow’s build for NVIDIA’s GPUs, and NVIDIA’s libraries (about 9 GB)')
    .option('--dry-run', 'list what would be downloaded (packages, versions, sizes, folders), and change nothing')
    .addHelpText(
      'after',
      `${examples('setup', 'setup --python /usr/bin/python3.12', 'setup --gpu --dry-run', 'setup --gpu')}

Downloads come from the PyPI registry that your own pip uses. In a checkout, \`npm run setup\` also installs the npm packages.
With --gpu, pip resolves the NVIDIA packages that TensorFlow’s wheel lists for its extra and-cuda. Nautil finds them by itself, without
LD_LIBRARY_PATH; the machine needs NVIDIA’s driver only (525.60.13 or newer). \`nautil doctor\` checks all of it.
The state folder is NAUTIL_HOME; else .nautil in a checkout, or nautil in XDG_DATA_HOME (~/.local/share).`,
    )
    .action(setUp);
}

async function setUp({ python, gpu, dryRun }: SetupFlags): Promise<void> {
  const [{ installPrograms, SetupError }, { nautilHome }] = await Promise.all([
    import('@nautil/setup'),
    import('@nautil/store/folders'),
  ]);
  const log = (line: string): void => printMessage(`[setup] ${line}`);
  try {
    const home = nautilHome();
    await installPrograms({ home, signal: interruption, log, python, gpu: gpu === true, dryRun: dryRun === true });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    throw new SetupFailed(error.message, { hint: error.hint, cause: error });
  }
}
