import { defaultTaskQueue, type TextClassificationInput } from '@nautil/contracts';
import type { Command } from 'commander';
import { configurationFolder, whereTyped } from '../where-typed.js';
import { newWorkflowId } from '../new-workflow-id.js';
import { examples } from '../program.js';

interface RunOptions {
  configPath?: string;
  configName?: string;
  workflowId?: string;
  taskQueue: string;
  detach?: true;
  json?: true;
}

export function register(program: Command): void {
  program
    .command('run')
    .description('Starts a run in Temporal and follows it to its end.')
    .argument('[overrides...]', 'Hydra-style overrides of the configuration')
    .option('--config-path <folder>', 'a folder of configurations (default: conf)')
    .option('--config-name <name>', 'a configuration in it (default: text_classification_config)')
    .option(
      '--workflow-id <id>',
      'the run’s name in Temporal and MLflow (default: made of the configuration and the time)',
    )
    .option('--task-queue <queue>', 'where workers wait', defaultTaskQueue)
    .option('--detach', 'start it and return')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `${examples(
        'run --config-name sst2',
        'run model.train_ds.file_path=train.tsv model.validation_ds.file_path=dev.tsv trainer.max_epochs=3',
        'run --workflow-id reviews data=imdb nautil.data.source=aclImdb --detach',
      )}

Ctrl-C ends the following, not the run: \`npx nautil resume ID\` follows it again.`,
    )
    .action(run);
}

async function run(overrides: string[], options: RunOptions): Promise<void> {
  const [{ stackAddresses }, { connectToTemporal }, { followRun }] = await Promise.all([
    import('@nautil/stack'),
    import('../connect-to-temporal.js'),
    import('../follow-run.js'),
  ]);
  const addresses = stackAddresses();
  const { client, close } = await connectToTemporal(addresses.temporalAddress);
  try {
    const workflowId = options.workflowId ?? newWorkflowId(options.configName ?? 'text-classification');
    const input: TextClassificationInput = {
      ...(options.configName === undefined ? {} : { config: options.configName }),
      ...configurationFolder(options.configPath),
      cwd: whereTyped(),
      overrides,
    };
    const handle = await client.workflow.start('textClassification', {
      workflowId,
      taskQueue: options.taskQueue,
      args: [input],
    });
    await followRun(handle, { ...options, uiUrl: addresses.temporalUiUrl });
  } finally {
    await close();
  }
}
