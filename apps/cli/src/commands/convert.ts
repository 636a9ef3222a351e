import type { Command } from 'commander';
import { counted } from '@nautil/contracts';
import type { ConvertedTables } from '@nautil/datasets/tables';
import { addColumnOptions, type ColumnFlags, surveyOptions } from '../column-options.js';
import { examples, forceOption } from '../help.js';
import { positiveInteger } from '../option-values.js';
import { printJson, printResult } from '../output.js';

interface ConvertFlags extends ColumnFlags {
  json?: true;
  force?: true;
}

export function addConvert(program: Command): void {
  const command = program
    .command('convert')
    .summary('convert a table to NeMo’s TSV')
    .description(
      'Writes a table (CSV, TSV, JSON Lines, JSON, Parquet, or a folder of texts for each class) in NeMo’s format: one example per line, the text, a tab, and the label as a whole number. ' +
        'label_ids.tsv beside it has the names of the classes; if that file exists, the classes keep its ids, so that a validation file can be converted after the training file.',
    )
    .argument('<in>', 'the table, or a folder of tables named for their splits')
    .argument(
      '<out.tsv>',
      'the file to write; for a folder with several splits, the folder to write train.tsv, validation.tsv and test.tsv into',
    )
    .option('--labels <file>', 'names of the classes, one per line, in the order of their ids')
    .option('--num-classes <n>', 'the number of classes, to check that the table has so many', positiveInteger)
    .addOption(forceOption())
    .option('--json', 'print the written files as JSON');
  addColumnOptions(command)
    .addHelpText('after', examples('convert reviews.csv train.tsv --text-column review --label-column stars'))
    .action(async (source: string, target: string, flags: ConvertFlags) => {
      const { convertTables } = await import('@nautil/datasets/tables');
      const converted = await convertTables({
        ...surveyOptions(flags),
        source,
        target,
        force: flags.force === true,
      });
      await (flags.json ? printJson(converted) : printResult(formatConverted(converted)));
    });
}

const formatConverted = ({ files, notes }: ConvertedTables): string =>
  [
    ...notes,
    ...files.map(({ path, examples: count }) =>
      count === undefined ? `${path}  the names of the classes` : `${path}  ${counted(count, 'example')}`,
    ),
  ].join('\n');
