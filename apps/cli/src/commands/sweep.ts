import { defaultTaskQueue, objectives, type Objective, type SweepInput } from '@nautil/contracts';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { configurationFolder, whereTyped } from '../where-typed.js';
import { newWorkflowId } from '../new-workflow-id.js';
import { examples } from '../program.js';

interface SweepFlags {
  configPath?: string;
  configName?: string;
  workflowId?: string;
  random?: number;
  seed?: number;
  limit?: number;
  objective?: Objective;
  taskQueue: string;
  detach?: true;
  json?: true;
}

export function register(program: Command): void {
  program
    .command('sweep')
    .summary('train once for each combination of values, and rank what comes of it')
    .description(
      'Starts a run for each combination of the overrides that have several values (a,b, choice(a,b), range(1,4), ' +
        'interval(0,1), tag(log,interval(1e-5,1e-3))), a few at a time, follows them, and ranks them.',
    )
    .argument('<overrides...>', 'Hydra-style overrides; those with several values are what varies')
    .option('-m, --multirun', 'accepted as Hydra spells it; a sweep is always one')
    .option('--config-path <folder>', 'a folder of configurations (default: conf)')
    .option('--config-name <name>', 'a configuration in it (default: text_classification_config)')
    .option('--workflow-id <id>', 'the sweep’s name in Temporal and MLflow (default: made of the time)')
    .option('--limit <n>', 'trials at a time (default: 2, so that one is prepared while another trains)', wholeNumber)
    .addOption(
      new Option('--objective <score>', 'what trials are compared by (default: val/f1_macro)').choices([...objectives]),
    )
    .option('--random <n>', 'draw so many combinations; without it all are tried', wholeNumber)
    .option('--seed <n>', 'seed of the draw (default: 1)', wholeNumber)
    .option('--task-queue <queue>', 'where workers wait', defaultTaskQueue)
    .option('--detach', 'start it and return')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `${examples(
        'sweep -m --config-name sst2 model.optim.lr=1e-5,2e-5,5e-5 trainer.max_epochs=1,2',
        "sweep --config-name sst2 --random 10 --seed 7 'model.optim.lr=tag(log,interval(1e-5,1e-3))' --objective val/loss",
      )}

\`npx nautil resume ID\` goes on with a sweep that was killed or cancelled: no finished trial is run again.`,
    )
    .action(sweep);
}

async function sweep(overrides: string[], flags: SweepFlags): Promise<void> {
  const [{ stackAddresses }, { connectToTemporal }, { followSweep }] = await Promise.all([
    import('@nautil/stack'),
    import('../connect-to-temporal.js'),
    import('../follow-sweep.js'),
  ]);
  const { configName, random, seed, limit, objective } = flags;
  const addresses = stackAddresses();
  const { client, close } = await connectToTemporal(addresses.temporalAddress);
  try {
    const input: SweepInput = {
      config: configName,
      ...configurationFolder(flags.configPath),
      cwd: whereTyped(),
      overrides,
      random,
      seed,
      limit,
      objective,
    };
    const handle = await client.workflow.start('sweep', {
      workflowId: flags.workflowId ?? newWorkflowId('sweep'),
      taskQueue: flags.taskQueue,
      args: [input],
    });
    await followSweep(handle, { ...flags, uiUrl: addresses.temporalUiUrl });
  } finally {
    await close();
  }
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a whole number from 1 is expected.');
}
