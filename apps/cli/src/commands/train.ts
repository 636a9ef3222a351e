import { type Command, Option } from 'commander';
import { interruption } from '../interruption.js';
import { addHydraCommand } from '../trainer/hydra-command.js';

export function addTrain(program: Command): void {
  addHydraCommand(program, {
    name: 'train',
    summary: 'train in this process, without Temporal',
    description:
      'Runs all stages of a training in this process, without Temporal. MLflow receives the run when its server is up ' +
      '(MLFLOW_TRACKING_URI, or the server of `nautil up`); otherwise the run’s journal keeps it for `nautil runs sync`.',
    examples: [
      'train model.train_ds.file_path=train.tsv model.validation_ds.file_path=dev.tsv trainer.max_epochs=2',
      'train --config-name sst2 exp_manager.resume_if_exists=true exp_manager.resume_ignore_no_checkpoint=true',
      'train reviews.yaml --dry-run',
    ],
    options: [
      new Option('--dry-run', 'only show what the training would do, how long it would take, and whether it fits'),
    ],
    notes:
      'Ctrl-C ends a training with a checkpoint. A command with exp_manager.resume_if_exists=true continues from it when it is\n' +
      'typed again; after any other command, the message states how to continue.\n' +
      'With trainer.num_nodes above 1, start the same command on each machine: with torchrun, with srun, or with RANK=0, 1, … and\n' +
      'nautil.group.members=[HOST0:PORT,HOST1:PORT]. All processes train; the first evaluates and packages the model.\n' +
      'In a checkout, `npx nx run trainer:train -- …` does the same.',
    run: async (args, { cwd, flags }) => {
      const { planDirectly, trainDirectly } = await import('../trainer/train-directly.js');
      if (flags['dryRun']) return planDirectly(args, { cwd });
      await trainDirectly(args, { cwd, signal: interruption });
    },
  });
}
