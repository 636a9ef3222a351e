import { counted, listed, ownCopy } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import { leakNotes } from '../leak-notes.js';
import { readLabelNames } from '../read-label-names.js';
import { labelIn, requireText, textIn } from './cell-text.js';
import {
  chooseColumns,
  type ColumnChoice,
  columnKeys,
  type ColumnOptionNames,
  type NamedColumns,
  namesAny,
} from './choose-columns.js';
import type { DataSplit } from './divide-examples.js';
import { idsNote, labelIds, numbersNote } from './label-ids.js';
import { type ClassNames, nameClasses } from './name-classes.js';
import { openTable } from './open-table.js';
import { quotedName, shownNames } from './shown-names.js';
import type { Table } from './table.js';
import { TextCopies } from './text-copies.js';

/** The tables of each split; several are shards, which are read one after the other. */
type TablePaths = { train: readonly string[] } & Partial<Record<'validation' | 'test', readonly string[]>>;

export interface SurveyOptions {
  paths: TablePaths;

  /** The columns that the user named. */
  columns?: NamedColumns;

  /** How the user names columns, for hints; default: the keys of the configuration. */
  keys?: ColumnOptionNames;

  /** Whether the user calls the files tables, even those that may be NeMo's, as one does by naming a column. */
  asTable?: boolean;

  /** A file with the names of the classes, in the order of their ids. */
  labelsFile?: string | undefined;

  /** What else to do about a label that the file lacks. */
  labelsHint?: string | undefined;

  /** The configured number of classes; undefined: that of the labels in the training data. */
  numClasses?: number | undefined;

  /** As `nautil.data.relabel`: the labels of NeMo's format are names, which are numbered from 0. */
  relabel?: boolean;

  /** Finds training texts that occur more than once, or in another split. */
  comparesTexts?: boolean;
}

/** The rows of a table with a text and a label, or the reason why a row has none. */
export interface LabelledRow {
  text: string;
  textPair?: string;
  label: string;
}

/** The text of an example, or both texts of a pair with a tab between them, by which examples are compared. */
export const textsOf = ({ text, textPair }: Pick<LabelledRow, 'text' | 'textPair'>): string =>
  textPair === undefined ? text : `${text}\t${textPair}`;

/** A table of which the columns are known. */
export interface ChosenTable {
  table: Table;
  choice: ColumnChoice;
}

export interface SplitSurvey {
  tables: ChosenTable[];

  /** Rows with a text and a label. */
  examples: number;

  /** Number of examples by label. */
  counts: Map<string, number>;

  /** Where each label first occurs. */
  firstPlaces: Map<string, string>;

  /** Rows without a text or without a label, and the first of them. */
  skipped: number;
  firstSkipped?: string;
}

/** A split of which the classes are known. */
export interface NumberedSplit extends SplitSurvey {
  /** The id of the class that a label means; undefined for a label that is no class. */
  idOf: (label: string) => number | undefined;
}

/** What a complete pass over the tables of a run found. */
export interface TableSurvey {
  splits: { train: NumberedSplit } & Partial<Record<'validation' | 'test', NumberedSplit>>;

  /** Whether each example has two texts. */
  pairs: boolean;

  /** The training texts that occur more than once; undefined unless texts are compared. */
  copies: TextCopies | undefined;

  /** Names of the classes by id. */
  names: ClassNames['names'];

  /** Sentences about the choice of columns, the classes and the skipped rows. */
  notes: string[];
}

/** More different values are no labels. */
const maxLabels = 10_000;

/**
 * Reads all tables of a run completely: chooses their columns, counts their labels, and numbers the classes.
 *
 * @throws DataError for tables that can't be read, columns that are not clear, and labels that training lacks
 */
export async function surveyTables(o: SurveyOptions): Promise<TableSurvey> {
  const copies = o.comparesTexts === true ? new TextCopies() : undefined;
  const train = await surveyOf('train', o.paths.train, o, {
    onRow: (row) => copies?.add(textsOf(row), row.label),
  });
  const [first] = train.tables;
  if (first === undefined || train.examples === 0) {
    throw new DataError(
      `${listed(o.paths.train)} ${o.paths.train.length === 1 ? 'has' : 'have'} no row with a text and a label`,
      {
        hint: train.firstSkipped === undefined ? 'name tables with examples' : `the first row is ${train.firstSkipped}`,
      },
    );
  }
  const labelNames = o.labelsFile === undefined ? undefined : await readLabelNames(o.labelsFile);
  const { choice } = first;
  const areIds = (split: SplitSurvey): boolean => o.relabel !== true && labelsAreIds(split);
  const { names, notes: classNotes } = nameClasses({
    path: listed(o.paths.train),
    column: choice.label ?? '',
    labels: [...train.counts.keys()],
    areIds: areIds(train),
    defined: first.table.classNames.get(choice.label ?? ''),
    labelNames,
    labelsFile: o.labelsFile,
    labelsHint: o.labelsHint,
    numClasses: o.numClasses,
    firstPlaces: train.firstPlaces,
  });
  const model = { labels: names, numClasses: names.length };
  const numbered = (split: SplitSurvey): NumberedSplit => ({
    ...split,
    idOf: labelIds(model, { areIds: areIds(split) }),
  });
  const notes = [...choiceNotes(train), ...classNotes, ...(labelNames === undefined ? [] : labelNotes(train, names))];
  const splits: TableSurvey['splits'] = { train: numbered(train) };
  for (const split of ['validation', 'test'] as const) {
    const paths = o.paths[split];
    if (paths === undefined || paths.length === 0) continue;
    let leaked = 0;
    const survey = numbered(
      await surveyOf(split, paths, o, {
        model: first,
        onRow: (row) => {
          if (copies?.has(textsOf(row)) === true) leaked++;
        },
      }),
    );
    const why = split === 'test' ? whyUnlabelled(survey) : undefined;
    if (why !== undefined) {
      notes.push(`${listed(paths)} ${why}, so the model is not tested on it`);
      continue;
    }
    requireKnownLabels(survey, names);
    splits[split] = survey;
    for (const note of [...labelNotes(survey, names), ...leakNotes(split, { leaked, examples: survey.examples })])
      if (!notes.includes(note)) notes.push(note);
  }
  const skipped = Object.values(splits).flatMap(skippedNotes);
  return { splits, pairs: choice.textPair !== undefined, copies, names, notes: [...notes, ...skipped] };
}

/** Whether the labels of a split are ids of classes, as in NeMo's format. */
export const labelsAreIds = ({ tables }: SplitSurvey): boolean =>
  tables.every(({ table }) => table.labelsAreIds === true);

/** A sentence on what labels that are whole numbers mean, if they could be names and ids of classes. */
export function labelNotes(split: SplitSurvey, names: readonly string[] | undefined): string[] {
  const ids = labelsAreIds(split) ? idsNote(listed(split.tables.map(({ table }) => table.path)), names) : undefined;
  const note = ids ?? numbersNote(split.counts.keys(), names);
  return note === undefined ? [] : [note];
}

/** The columns of the other splits are those of the first table of the training data. */
async function surveyOf(
  split: DataSplit,
  paths: readonly string[],
  { columns = {}, keys = columnKeys, asTable = false }: SurveyOptions,
  { model, onRow }: { model?: ChosenTable; onRow: (row: LabelledRow) => void },
): Promise<SplitSurvey> {
  const choose = (table: Table): Promise<ColumnChoice> | ColumnChoice =>
    model ? sameColumns(table, model, split) : chooseColumns(table, columns, { keys });
  return surveySplit(split, paths, { choose, keys, asTable: asTable || namesAny(columns), onRow });
}

/**
 * Reads the tables of a split completely, and counts their labels. The columns of the others are those of the first.
 *
 * @throws DataError for a table that can't be read, and as `choose`
 */
export async function surveySplit(
  split: DataSplit,
  paths: readonly string[],
  {
    choose,
    keys,
    pairs = false,
    asTable = false,
    onRow,
  }: {
    choose: (table: Table) => Promise<ColumnChoice> | ColumnChoice;
    keys: ColumnOptionNames;

    /** Whether the lines of NeMo's TSV have two texts. */
    pairs?: boolean;

    /** As of `openTable`. */
    asTable?: boolean;

    /** Is called with each row that has a text and a label. */
    onRow?: (row: LabelledRow) => void;
  },
): Promise<SplitSurvey> {
  const survey: SplitSurvey = { tables: [], examples: 0, counts: new Map(), firstPlaces: new Map(), skipped: 0 };
  for (const path of paths) {
    const table = await openTable(path, { pairs, asTable });
    if (table === undefined) throw notATable(path);
    const [first] = survey.tables;
    const choice = first ? sameColumns(table, first, split) : await choose(table);
    survey.tables.push({ table, choice });
    await countLabels(survey, { table, choice }, { keys, onRow });
  }
  return survey;
}

async function countLabels(
  survey: SplitSurvey,
  chosen: ChosenTable,
  { keys, onRow }: { keys: ColumnOptionNames; onRow: ((row: LabelledRow) => void) | undefined },
): Promise<void> {
  for await (const { position, row } of labelledRows(chosen)) {
    if (row === undefined) {
      survey.firstSkipped ??= chosen.table.placeOf(position);
      survey.skipped++;
      continue;
    }
    survey.examples++;
    onRow?.(row);
    const count = survey.counts.get(row.label);
    survey.counts.set(count === undefined ? ownCopy(row.label) : row.label, (count ?? 0) + 1);
    if (count !== undefined) continue;
    survey.firstPlaces.set(ownCopy(row.label), chosen.table.placeOf(position));
    if (survey.counts.size <= maxLabels) continue;
    throw new DataError(
      `${chosen.table.path}: column ${JSON.stringify(chosen.choice.label)} has more than ${maxLabels} different values, so they are hardly labels`,
      {
        hint: `name the column of the labels with ${keys.label}`,
      },
    );
  }
}

/**
 * The rows of a table; `row` is undefined where the text or the label is empty.
 *
 * @throws DataError as `Table.rows`, and for a list, an object or bytes in place of a text or a label
 */
export async function* labelledRows({
  table,
  choice,
}: ChosenTable): AsyncGenerator<{ position: number; row: LabelledRow | undefined }> {
  const { text, textPair, label } = choice;
  const columns = [text, ...(textPair === undefined ? [] : [textPair]), ...(label === undefined ? [] : [label])];
  const labelOf = labelReader(table, label);
  for await (const batch of table.rows(columns)) {
    for (const { position, values } of batch) {
      for (const [at, column] of columns.entries())
        requireText(values[at], { column, place: () => table.placeOf(position) });
      const first = textIn(values[0]);
      const second = textPair === undefined ? undefined : textIn(values[1]);
      const named = label === undefined ? undefined : labelOf(values.at(-1));
      const isComplete = first !== undefined && named !== undefined && (textPair === undefined || second !== undefined);
      yield {
        position,
        row: isComplete
          ? { text: first, label: named, ...(second === undefined ? {} : { textPair: second }) }
          : undefined,
      };
    }
  }
}

/**
 * Reads the labels of a column, which have the names that the file defines for them; undefined for an empty cell, and for -1, which
 * Hugging Face's datasets write for no label. An id without a name is no class, whatever the names are: `id 7`.
 */
export function labelReader(table: Table, column: string | undefined): (value: unknown) => string | undefined {
  const names = column === undefined ? undefined : table.classNames.get(column);
  return (value) => {
    const label = labelIn(value);
    if (names === undefined || label === undefined) return label;
    return label === '-1' ? undefined : (names[Number(label)] ?? `id ${label}`);
  };
}

function sameColumns(table: Table, { table: model, choice }: ChosenTable, split: DataSplit): ColumnChoice {
  const { columns, path } = table;
  const lacks = [choice.text, choice.textPair].find((name) => name !== undefined && !columns.includes(name));
  if (lacks !== undefined) throw lackingColumn(path, lacks, model.path, columns);
  const { label, ...texts } = choice;
  if (label === undefined || columns.includes(label)) return choice;
  if (split === 'test') return texts;
  throw lackingColumn(path, label, model.path, columns);
}

const lackingColumn = (path: string, column: string, model: string, columns: readonly string[]): DataError =>
  new DataError(`${path} has no column ${JSON.stringify(column)}, which ${model} has`, {
    hint: `its columns are ${columns.map((name) => JSON.stringify(name)).join(', ')}; all files of a run have the same columns`,
  });

/** The error for a text in which no columns are found. */
const notATable = (path: string): DataError => {
  const named = /\.(parquet|jsonl?|ndjson)(?:\.gz)?$/i.exec(path)?.[1];
  return new DataError(
    named === undefined
      ? `${path} is not a table: its lines are not divided into columns`
      : `${path} is not ${/parquet/i.test(named) ? 'Parquet' : 'JSON'}, as its name says, nor another table`,
    { hint: 'a table is CSV or TSV, JSON Lines, JSON or Parquet, with a column of texts and one of labels' },
  );
};

/** Why a test set has no labels: it lacks the column, or each is -1, as in GLUE. */
function whyUnlabelled({ tables, counts, idOf }: NumberedSplit): string | undefined {
  if (tables.some(({ choice }) => choice.label === undefined)) return 'has no column of labels';
  if (counts.size === 0) return 'has no labels';
  return counts.size === 1 && counts.has('-1') && idOf('-1') === undefined ? 'has no labels (each is -1)' : undefined;
}

function requireKnownLabels({ firstPlaces, idOf }: NumberedSplit, names: readonly string[]): void {
  const unknown = [...firstPlaces].filter(([label]) => idOf(label) === undefined);
  const [first] = unknown;
  if (first === undefined) return;
  const similar = names.find((name) => name.toLowerCase() === first[0].toLowerCase());
  throw new DataError(
    unknown
      .slice(0, 5)
      .map(([label, place]) => `${place}: label ${quotedName(label)} does not occur in the training data`)
      .join('\n'),
    {
      hint:
        similar === undefined
          ? `correct the label, or add examples with it to the training data, which has ${shownNames(names)}`
          : `write ${quotedName(similar)}, as in the training data`,
    },
  );
}

/** A sentence on the format and the columns of a split. */
export function choiceNotes({ tables }: SplitSurvey): string[] {
  const [first] = tables;
  if (first === undefined) return [];
  const { table, choice } = first;
  const { format, details, path } = table;
  const kind = details.length === 0 ? format : `${format} (${details.join(', ')})`;
  if (table.format === 'class folders') return [`${path} has one folder for each class`];
  const texts =
    choice.textPair === undefined ? `text column ${choice.text}` : `text columns ${choice.text} and ${choice.textPair}`;
  const { others, how, label = '' } = choice;
  const unread = others.length === 0 ? '' : `; columns not read: ${shownNames(others)}`;
  return [`${path} is ${kind}: ${texts}, label column ${label} (${how})${unread}`];
}

/** A sentence on the rows of a split that have no text or no label. */
export const skippedNotes = ({ skipped, firstSkipped = '' }: SplitSurvey): string[] =>
  skipped === 0 ? [] : [`${counted(skipped, 'row')} without a text or a label skipped (the first is ${firstSkipped})`];
