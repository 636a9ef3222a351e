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

/** The option that names the column of the texts. */
export const addTextColumnOption = (command: Command): Command =>
  command.option('--text-column <name>', 'tables: the column of the texts (default: recognised by name and content)');

/** The options that name the columns of a table. */
export const addColumnOptions = (command: Command): Command =>
  addTextColumnOption(command)
    .option('--text-pair-column <name>', 'tables: the column of the second texts')
    .option('--label-column <name>', 'tables: the column of the labels');

export const namesColumns = (flags: ColumnFlags): boolean =>
  Object.values(namedColumns(flags)).some((name) => name !== undefined);

export const columnOptionNames: ColumnOptionNames = {
  text: '--text-column',
  textPair: '--text-pair-column',
  label: '--label-column',
};

/** The columns that the options name. */
export const namedColumns = ({ textColumn, textPairColumn, labelColumn }: ColumnFlags) => ({
  text: textColumn,
  textPair: textPairColumn,
  label: labelColumn,
});

/** How tables are surveyed, by the options. */
export const surveyOptions = (flags: ColumnFlags): Omit<SurveyOptions, 'paths'> => ({
  columns: namedColumns(flags),
  keys: columnOptionNames,
  labelsFile: flags.labels,
  numClasses: flags.numClasses,
});
