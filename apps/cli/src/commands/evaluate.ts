import type { Command } from 'commander';
import { addHydraCommand } from '../trainer/hydra-command.js';

export function addEvaluate(program: Command): void {
  addHydraCommand(program, {
    name: 'evaluate',
    summary: 'score a model on a labelled file',
    description:
      'Prints the loss, the accuracy and the classification report of model.nemo_path on model.test_ds.file_path. Needs no server.',
    examples: ['evaluate model.nemo_path=sst2.nemo model.test_ds.file_path=test.tsv'],
    notes:
      'model.nemo_path may also name a checkpoint of a run; Hydra requires quotes around its name: \'model.nemo_path="…-last.ckpt"\'.\n' +
      'In a checkout, `npx nx run trainer:evaluate -- …` does the same.',
    run: async (args, cwd) => {
      const { evaluateArchive } = await import('../trainer/evaluate-archive.js');
      await evaluateArchive(args, { cwd });
    },
  });
}
