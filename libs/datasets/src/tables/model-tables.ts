import { counted, type Example, listed } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import {
  chooseModelColumns,
  columnKeys,
  type ColumnOptionNames,
  type NamedColumns,
  namesAny,
} from './choose-columns.js';
import { labelIds } from './label-ids.js';
import { quotedName, shownNames } from './shown-names.js';
import {
  choiceNotes,
  labelledRows,
  labelNotes,
  labelsAreIds,
  skippedNotes,
  type SplitSurvey,
  surveySplit,
} from './survey-tables.js';

/** An example, and where it is: `test.csv:7`. */
export interface PlacedExample extends Example {
  place: string;
}

export interface ModelTablesOptions {
  /** The tables; several are shards, which are read one after the other. */
  paths: readonly string[];

  /** The columns that the user named. */
  columns?: NamedColumns;

  /** How the user names columns, for hints; default: the keys of the configuration. */
  keys?: ColumnOptionNames;

  /** Whether the user calls the files tables, even those that may be NeMo's, as one does by naming a column. */
  asTable?: boolean;
  model: { labels: readonly string[] | undefined; numClasses: number; pairs: boolean };

  /** Leaves out rows with labels that the model does not know, which are an error otherwise. */
  skipsUnknown?: boolean;
}

/** Labelled tables as examples of a trained model. */
export interface ModelTables {
  /** Number of examples. */
  count: number;

  /** Sentences about the columns and the rows without a text or a label. */
  notes: string[];

  /** A sentence on labels that are taken as ids of classes, if their numbers could mean something else. */
  labelNote: string | undefined;

  /** A sentence about the rows with labels that the model does not know, if they are left out. */
  unknown: string | undefined;

  /** Reads the examples, each time in the same order. */
  examples: () => AsyncGenerator<PlacedExample>;
}

/** Unknown labels that a message lists. */
const listedLabels = 10;

/**
 * Reads labelled tables completely, and gives each example the id that its label has in a trained model.
 *
 * @throws DataError for tables that can't be read, columns that are not clear or do not suit the model, and labels that the
 * model does not know, which it lists
 */
export async function openModelTables(o: ModelTablesOptions): Promise<ModelTables> {
  const { keys = columnKeys, model, columns = {} } = o;
  const survey = await surveySplit('test', o.paths, {
    choose: (table) => chooseModelColumns(table, columns, { keys, pairs: model.pairs }),
    keys,
    pairs: model.pairs,
    asTable: o.asTable === true || namesAny(columns),
  });
  const idOf = labelIds(model, { areIds: labelsAreIds(survey) });
  const [labelNote] = labelNotes(survey, model.labels);
  const unknown = [...survey.counts].filter(([label]) => idOf(label) === undefined);
  if (unknown.length > 0 && o.skipsUnknown !== true) throw unknownLabels(survey, unknown, o);
  const left = unknown.reduce((sum, [, count]) => sum + count, 0);
  if (survey.examples === left)
    throw new DataError(`${listed(o.paths)}: no row has a text and a label that the model knows`, {
      hint: `the classes of the model are ${namesOf(model)}`,
    });
  return {
    count: survey.examples - left,
    notes: [...choiceNotes(survey), ...skippedNotes(survey)],
    labelNote,
    unknown:
      left === 0
        ? undefined
        : `${counted(left, 'row')} skipped with labels that the model does not know: ${shownLabels(unknown)}`,
    examples: async function* () {
      for (const chosen of survey.tables) {
        for await (const { position, row } of labelledRows(chosen)) {
          const id = row && idOf(row.label);
          if (row === undefined || id === undefined) continue;
          yield { ...row, label: id, line: position, place: chosen.table.placeOf(position) };
        }
      }
    },
  };
}

function unknownLabels(
  { firstPlaces }: SplitSurvey,
  unknown: readonly (readonly [string, number])[],
  { paths, model }: ModelTablesOptions,
): DataError {
  const lines = unknown
    .slice(0, listedLabels)
    .map(
      ([label, count]) =>
        `  ${quotedName(label)}: ${counted(count, 'row')}, the first is ${firstPlaces.get(label) ?? ''}`,
    );
  const more = unknown.length - lines.length;
  return new DataError(
    [
      `${listed(paths)} has ${counted(unknown.length, 'label')} that the model does not know:`,
      ...lines,
      ...(more > 0 ? [`  and ${more} more`] : []),
    ].join('\n'),
    {
      hint: `the classes of the model are ${namesOf(model)}: correct the labels, or leave these rows out with --skip-unknown-labels`,
    },
  );
}

const shownLabels = (unknown: readonly (readonly [string, number])[]): string =>
  shownNames(unknown.map(([label]) => quotedName(label)));

const namesOf = ({ labels, numClasses }: ModelTablesOptions['model']): string =>
  labels === undefined ? `0 to ${numClasses - 1}` : shownNames(labels);
