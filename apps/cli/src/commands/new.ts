import type { Command } from 'commander';
import { addColumnOptions } from '../column-options.js';
import { examples, forceOption } from '../help.js';
import type { NewFlags } from '../new/new-flags.js';
import { printResult } from '../output.js';
import { workingFolder } from '../working-folder.js';

export function addNew(program: Command): void {
  const command = program
    .command('new')
    .summary('write a configuration for your own data')
    .description(
      'Inspects the data, the machine and the encoders on it, and writes a commented configuration that trains well: the encoder, its learning rate, ' +
        'the length of the texts, the batch size and the epochs. On a terminal, it asks for what it cannot determine; elsewhere, it names the option that does. ' +
        'The exit code is 3 when a model can’t be trained on the data.',
    )
    .argument('<name>', 'the name of the experiment, and of the file NAME.yaml; it may have a folder before it')
    .option(
      '--data <file>',
      'labelled texts: a table (CSV, TSV, JSON Lines, JSON, Parquet), NeMo’s TSV, a folder of tables or of a folder for each class, an archive, an http address, or a data set on the Hugging Face hub',
    )
    .option('--validation <file>', 'the validation set (default: that of the data, else a share of each class)')
    .option('--test <file>', 'the test set (default: that of the data, if it has one)')
    .option(
      '--encoder <name>',
      'a preset, a folder, or a model on the Hugging Face hub (default: the smallest preset that is on this machine)',
    );
  addColumnOptions(command)
    .option('--output <file>', 'where the configuration is written (default: NAME.yaml)')
    .addOption(forceOption())
    .option('-y, --yes', 'ask nothing, and take the proposed encoder')
    .addHelpText(
      'after',
      examples(
        'new reviews --data reviews.csv',
        'new reviews --data reviews.csv --text-column body --label-column stars --yes',
        'new topics --data news/ --validation dev.csv --encoder bert-base-chinese',
      ),
    )
    .action(async (name: string, flags: NewFlags) => {
      const [{ newConfiguration }, { questionsOn }] = await Promise.all([
        import('../new/new-configuration.js'),
        import('../new/questions.js'),
      ]);
      const questions = flags.yes ? undefined : questionsOn();
      await printResult(await newConfiguration(name, flags, { cwd: workingFolder(), questions }));
    });
}
