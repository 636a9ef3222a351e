import {
  chooseColumns,
  type ChosenRole,
  columnDoubt,
  type ColumnProfile,
  ColumnsUnclear,
  openTable,
  profileColumns,
  rankColumns,
} from '@nautil/datasets/tables';
import { surveyOptions } from '../column-options.js';
import { printMessage } from '../output.js';
import type { FoundData, NamedData } from './find-new-data.js';
import type { NewFlags } from './new-flags.js';
import type { Questions } from './questions.js';

const roleQuestions: Readonly<Record<ChosenRole, string>> = {
  text: 'Which column has the texts?',
  textPair: 'Which column has the second texts?',
  label: 'Which column has the labels?',
};

/** The columns that the user named, or chooses on a terminal where the table leaves a choice. */
export async function clearColumns(
  { paths, isNemo }: FoundData,
  flags: NewFlags,
  questions: Questions | undefined,
): Promise<NamedData['columns']> {
  const { columns: named = {}, keys } = surveyOptions(flags);
  const [file = ''] = paths.train;
  const table = questions && !isNemo ? await openTable(file) : undefined;
  if (questions === undefined || table === undefined) return named;
  const profiles = await profileColumns(table);
  const columns = { ...named };
  for (;;) {
    try {
      await chooseColumns(table, columns, keys && { keys });
      return columns;
    } catch (error) {
      if (!(error instanceof ColumnsUnclear) || named[error.role] !== undefined) throw error;
      printMessage(error.message);
      const taken = Object.entries(columns).flatMap(([role, name]) => (role === error.role ? [] : [name]));
      const free = profiles.filter(({ name }) => !taken.includes(name));
      columns[error.role] = await askColumn(error.role, free, questions);
    }
  }
}

/** Asks for the column of a role until the answer is plausible, or the person insists on it. */
async function askColumn(role: ChosenRole, profiles: readonly ColumnProfile[], questions: Questions): Promise<string> {
  const ranked = rankColumns(profiles, role);
  const answers = ranked.map(({ name, examples }) => ({ value: name, sample: examples.join(' | ') }));
  for (;;) {
    const name = await questions.choose(roleQuestions[role], answers);
    const chosen = ranked.find((profile) => profile.name === name);
    const doubt = chosen && columnDoubt(chosen, role);
    if (doubt === undefined || (await questions.confirm(`Column ${JSON.stringify(name)} ${doubt}. Use it?`)))
      return name;
  }
}
