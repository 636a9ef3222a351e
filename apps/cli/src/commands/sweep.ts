import { type Command, Option } from 'commander';
import { type Objective, objectives, type SweepInput } from '@nautil/contracts';
import {
  addConfigOptions,
  addWorkflowOptions,
  type ConfigFlags,
  examples,
  overridesArgument,
  type WorkflowFlags,
} from '../help.js';
import { namedConfiguration } from '../named-configuration.js';
import { newWorkflowId } from '../new-workflow-id.js';
import { positiveInteger } from '../option-values.js';
import { configurationFolder, workingFolder } from '../working-folder.js';

interface SweepFlags extends ConfigFlags, WorkflowFlags {
  workflowId?: string;
  random?: number;
  seed?: number;
  limit?: number;
  objective?: Objective;
}

export function addSweep(program: Command): void {
  const command = program
    .command('sweep')
    .summary('train once for each combination of values, and rank the results')
    .description(
      'Starts a run for each combination of the overrides that have several values (a,b, choice(a,b), range(1,4), ' +
        'interval(0,1), tag(log,interval(1e-5,1e-3))), a few at a time, follows them, and ranks them.',
    )
    .argument('<overrides...>', `${overridesArgument}; those with several values vary`)
    .option('-m, --multirun', 'accepted for compatibility with Hydra; a sweep is always a multirun');
  addConfigOptions(command)
    .option('--workflow-id <id>', 'the sweep’s name in Temporal and MLflow (default: sweep and the time)')
    .option(
      '--limit <n>',
      'trials at a time (default: 2, so that one is prepared while another trains)',
      positiveInteger,
    )
    .addOption(
      new Option('--objective <score>', 'the score that ranks the trials (default: val/f1_macro)').choices([
        ...objectives,
      ]),
    )
    .option('--random <n>', 'draw this many combinations at random (default: try all)', positiveInteger)
    .option('--seed <n>', 'seed of the random draw (default: 1)', positiveInteger);
  addWorkflowOptions(command)
    .addHelpText(
      'after',
      `${examples(
        'sweep -m --config-name sst2 model.optim.lr=1e-5,2e-5,5e-5 trainer.max_epochs=1,2',
        "sweep --config-name sst2 --random 10 --seed 7 'model.optim.lr=tag(log,interval(1e-5,1e-3))' --objective val/loss",
      )}

\`npx nautil resume ID\` continues a sweep that was killed or cancelled; trials that have finished are not run again.`,
    )
    .action(sweep);
}

async function sweep(args: string[], flags: SweepFlags): Promise<void> {
  const [{ checkSweep }, { stackAddresses }, { connectToTemporal }, { startWorkflow }, { followSweep }] =
    await Promise.all([
      import('@nautil/activities'),
      import('@nautil/stack'),
      import('../connect-to-temporal.js'),
      import('../start-workflow.js'),
      import('../follow-sweep.js'),
    ]);
  const { random, seed, limit, objective } = flags;
  const { overrides, configName, configPath } = namedConfiguration(args, flags);
  const cwd = workingFolder();
  const input: SweepInput = {
    ...(configName === undefined ? {} : { config: configName }),
    ...configurationFolder(configPath),
    cwd,
    overrides,
    ...(random === undefined ? {} : { random }),
    ...(seed === undefined ? {} : { seed }),
    ...(limit === undefined ? {} : { limit }),
    ...(objective === undefined ? {} : { objective }),
  };
  await checkSweep({ ...input, objective: objective ?? 'val/f1_macro' }, { cwd });
  const addresses = stackAddresses();
  const { client, close } = await connectToTemporal(addresses.temporal);
  try {
    const handle = await startWorkflow(client, 'sweep', {
      workflowId: flags.workflowId ?? newWorkflowId('sweep'),
      taskQueue: flags.taskQueue,
      args: [input],
    });
    await followSweep(handle, { ...flags, uiUrl: addresses.temporalUiUrl, temporal: addresses.temporal });
  } finally {
    await close();
  }
}
