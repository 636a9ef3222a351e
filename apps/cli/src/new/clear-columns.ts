import { chooseColumns, ColumnsUnclear, openTable, profileColumns } from '@nautil/datasets/tables';
import { surveyOptions } from '../column-options.js';
import { printMessage } from '../output.js';
import type { FoundData, NamedData } from './find-new-data.js';
import type { NewFlags } from './new-flags.js';
import type { Questions } from './questions.js';

/** The columns that the user named, or chooses on a terminal where the table leaves a choice. */
export async function clearColumns(
  { paths, isNemo }: FoundData,
  flags: NewFlags,
  questions: Questions | undefined,
): Promise<NamedData['columns']> {
  const { columns = {}, keys } = surveyOptions(flags);
  const [file = ''] = paths.train;
  const table = questions && !isNemo ? await openTable(file) : undefined;
  if (questions === undefined || table === undefined) return columns;
  try {
    await chooseColumns(table, columns, keys && { keys });
    return columns;
  } catch (error) {
    if (!(error instanceof ColumnsUnclear) || (columns.text !== undefined && columns.label !== undefined)) throw error;
    printMessage(error.message);
  }
  const answers = (await profileColumns(table)).map(({ name, examples }) => ({
    value: name,
    hint: examples.join(' | ').slice(0, 60),
  }));
  const text = columns.text ?? (await questions.choose('Which column has the texts?', answers));
  const others = answers.filter(({ value }) => value !== text);
  return { ...columns, text, label: columns.label ?? (await questions.choose('Which column has the labels?', others)) };
}
