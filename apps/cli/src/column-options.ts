import type { Command } from 'commander';
import type { ColumnOptionNames, SurveyOptions } from '@nautil/datasets/tables';

/** The values of the options that name columns, as an action receives them. */
export interface ColumnFlags {
  textColumn?: string;
  textPairColumn?: string;
  labelColumn?: string;
  labels?: string;
  numClasses?: number;
}

/** The options that name the columns of a table. */
export const addColumnOptions = (command: Command): Command =>
  command
    .option('--text-column <name>', 'tables: the column of the texts (default: recognised by name and content)')
    .option('--text-pair-column <name>', 'tables: the column of the second texts')
    .option('--label-column <name>', 'tables: the column of the labels');

export const namesColumns = ({ textColumn, textPairColumn, labelColumn }: ColumnFlags): boolean =>
  [textColumn, textPairColumn, labelColumn].some((name) => name !== undefined);

const optionNames: ColumnOptionNames = {
  text: '--text-column',
  textPair: '--text-pair-column',
  label: '--label-column',
};

/** How tables are surveyed, by the options. */
export const surveyOptions = (flags: ColumnFlags): Omit<SurveyOptions, 'paths'> => ({
  columns: { text: flags.textColumn, textPair: flags.textPairColumn, label: flags.labelColumn },
  keys: optionNames,
  labelsFile: flags.labels,
  numClasses: flags.numClasses,
});
