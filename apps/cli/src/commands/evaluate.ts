import { type Command, Option } from 'commander';
import { forceOption, requireForced } from '../help.js';
import { addHydraCommand } from '../trainer/hydra-command.js';

export function addEvaluate(program: Command): void {
  addHydraCommand(program, {
    name: 'evaluate',
    summary: 'score a model on a labelled file',
    description:
      'Prints the loss, the accuracy and the classification report of model.nemo_path on model.test_ds.file_path: a table (CSV, TSV, JSON ' +
      'Lines, JSON, Parquet), a folder of these or of texts for each class, or NeMo’s TSV. Needs no server.',
    examples: [
      'evaluate model.nemo_path=sst2.nemo model.test_ds.file_path=test.tsv',
      'evaluate --errors errors.csv model.nemo_path=sst2.nemo model.test_ds.file_path=reviews.parquet nautil.data.text_column=review',
    ],
    notes:
      'Labels of a table are the names of the model’s classes, or their numbers; nautil.data.text_column, text_pair_column and label_column\n' +
      'name its columns. model.nemo_path may also name a checkpoint of a run; Hydra requires quotes around its name:\n' +
      '\'model.nemo_path="…-last.ckpt"\'. In a checkout, `npx nx run trainer:evaluate -- …` does the same.',
    options: [
      new Option(
        '--errors <file>',
        'list the misclassified examples in a CSV, TSV or JSON Lines file (.csv, .tsv, .jsonl), the most confident mistake first',
      ),
      forceOption(),
      new Option(
        '--skip-unknown-labels',
        'leave out and count examples with labels that the model does not know, which are an error otherwise',
      ),
    ],
    run: async (args, { cwd, flags }) => {
      const { errors } = flags as { errors?: string };
      requireForced(flags['force'], { path: errors, option: '--errors' });
      const { evaluateArchive } = await import('../trainer/evaluate-archive.js');
      await evaluateArchive(args, { cwd, ...flags });
    },
  });
}
