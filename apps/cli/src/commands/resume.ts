import { defaultTaskQueue, progressQuery, stages, type Progress, type Stage } from '@nautil/contracts';
import { Option, type Command } from 'commander';
import { examples } from '../program.js';

interface ResumeOptions {
  from?: Stage;
  taskQueue: string;
  detach?: true;
  json?: true;
}

export function register(program: Command): void {
  program
    .command('resume')
    .description('Goes on with a run that failed or was cancelled; follows one that still runs.')
    .argument('<workflow-id>', 'the run’s name')
    .addOption(new Option('--from <stage>', 'make this stage and those after it again').choices([...stages]))
    .option('--task-queue <queue>', 'where workers wait', defaultTaskQueue)
    .option('--detach', 'start it and return')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `${examples('resume sst2-20261123-231500', 'resume sst2-20261123-231500 --from evaluate')}

Stages that are done are not done again, and training goes on from its last checkpoint.`,
    )
    .action(resume);
}

async function resume(workflowId: string, options: ResumeOptions): Promise<void> {
  const [{ stackAddresses }, { connectToTemporal }, { followRun }] = await Promise.all([
    import('@nautil/stack'),
    import('../connect-to-temporal.js'),
    import('../follow-run.js'),
  ]);
  const addresses = stackAddresses();
  const { client, close } = await connectToTemporal(addresses.temporalAddress);
  try {
    let handle = client.workflow.getHandle(workflowId);
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') {
      const { runKey } = await handle.query<Progress>(progressQuery);
      await client.workflow.start('textClassification', {
        workflowId,
        taskQueue: options.taskQueue,
        args: [{ runKey, ...(options.from ? { from: options.from } : {}) }],
      });
      handle = client.workflow.getHandle(workflowId);
    }
    await followRun(handle, { ...options, uiUrl: addresses.temporalUiUrl });
  } finally {
    await close();
  }
}
