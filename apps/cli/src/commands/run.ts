import { type Command, Option } from 'commander';
import type { TextClassificationInput } from '@nautil/contracts';
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
import { configurationFolder, workingFolder } from '../working-folder.js';

interface RunOptions extends ConfigFlags, WorkflowFlags {
  workflowId?: string;
  dryRun?: true;
}

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('Starts a run in Temporal and follows it until it ends.')
    .argument('[overrides...]', overridesArgument);
  addConfigOptions(command)
    .option(
      '--workflow-id <id>',
      'the run’s name in Temporal and MLflow (default: the configuration’s name and the time)',
    )
    .addOption(
      new Option('--dry-run', 'only show what the run would do, how long it would take, and whether it fits').conflicts(
        ['detach', 'taskQueue'],
      ),
    );
  addWorkflowOptions(command)
    .addHelpText(
      'after',
      `${examples(
        'run --config-name sst2',
        'run reviews.yaml trainer.max_epochs=3',
        'run model.train_ds.file_path=train.tsv model.validation_ds.file_path=dev.tsv trainer.max_epochs=3',
        'run --config-name sst2 --dry-run',
        'run --workflow-id reviews data=imdb nautil.data.source=aclImdb --detach',
      )}

Ctrl-C stops following the run, which continues; \`npx nautil resume ID\` follows it again.
--dry-run starts nothing, needs no server, and downloads nothing. It prepares the data as the run does, which stays in the
store for the run, and measures some steps. The exit code is 4 when the run does not fit into memory or on the disk,
or would download from a hub that cannot be reached.`,
    )
    .action(run);
}

async function run(args: string[], options: RunOptions): Promise<void> {
  const { overrides, configName, configPath } = namedConfiguration(args, options);
  const [{ checkRequest }, { stackAddresses }, { connectToTemporal }, { startWorkflow }, { followRun }] =
    await Promise.all([
      import('@nautil/activities'),
      import('@nautil/stack'),
      import('../connect-to-temporal.js'),
      import('../start-workflow.js'),
      import('../follow-run.js'),
    ]);
  const cwd = workingFolder();
  const input: TextClassificationInput = {
    ...(configName === undefined ? {} : { config: configName }),
    ...configurationFolder(configPath),
    cwd,
    overrides,
  };
  await checkRequest(input, { cwd });
  const workflowId = options.workflowId ?? newWorkflowId(configName ?? 'text-classification');
  if (options.dryRun) {
    const { showPlan } = await import('../show-plan.js');
    await showPlan({ ...input, workflowId }, { cwd, json: options.json === true });
    return;
  }
  const addresses = stackAddresses();
  const { client, close } = await connectToTemporal(addresses.temporal);
  try {
    const handle = await startWorkflow(client, 'textClassification', {
      workflowId,
      taskQueue: options.taskQueue,
      args: [input],
    });
    await followRun(handle, { ...options, uiUrl: addresses.temporalUiUrl, temporal: addresses.temporal });
  } finally {
    await close();
  }
}
