import { counted } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import { integerIn, plainLabel } from './cell-text.js';

export interface ClassNames {
  /** Names by id. */
  names: string[];

  /** The id of a label as the tables have it; undefined for a label that is no class. */
  idOf: (label: string) => number | undefined;

  /** The numbering in words. */
  note: string;
}

export interface LabelsFound {
  /** The training data, for messages. */
  path: string;
  column: string;

  /** The different labels of the training data. */
  labels: readonly string[];

  /** The names that the file itself defines, in the order of their ids. */
  defined: readonly string[] | undefined;

  /** The names of `model.class_labels.class_labels_file`, in the order of their ids. */
  labelNames: readonly string[] | undefined;
  labelsFile: string | undefined;

  /** What else to do about a label that the file lacks. */
  labelsHint: string | undefined;
  numClasses: number | undefined;
  firstPlaces: ReadonlyMap<string, string>;
}

const shownClasses = 10;

/**
 * Numbers the classes: in the order of a file of names or of the table's own definition, else in ascending order, that of
 * numbers for numbers and that of code units for text.
 *
 * @throws DataError for a single class, and for labels that do not fit the names or the number of classes
 */
export function nameClasses(found: LabelsFound): ClassNames {
  const { labelNames, defined, labels, numClasses, path } = found;
  const named = labelNames === undefined ? defined && [...defined] : namesFromFile(found, labelNames);
  const byNumber = labelNames !== undefined && !labels.every(isIn(labelNames));
  const names = named ?? withEmptyClasses(sortedLabels(labels), numClasses);
  if (numClasses !== undefined && names.length !== numClasses) {
    throw new DataError(
      `${path} has ${counted(names.length, 'different label')}, and model.dataset.num_classes is ${numClasses}: ${shown(names)}`,
      {
        hint: `set model.dataset.num_classes to null or to ${names.length}`,
        setting: `model.dataset.num_classes=${names.length}`,
      },
    );
  }
  if (names.length < 2) {
    throw new DataError(
      `${path}: all rows have the label ${JSON.stringify(names[0])}, and a classifier needs two classes`,
      {
        hint: `check that column ${JSON.stringify(found.column)} has the labels; if the other classes are only absent here, name all of them in model.class_labels.class_labels_file`,
      },
    );
  }
  const ids = new Map(names.map((name, id) => [plainLabel(name), id]));
  const idOf = byNumber
    ? (label: string) => {
        const id = integerIn(label);
        return id !== undefined && id >= 0 && id < names.length ? id : undefined;
      }
    : (label: string) => ids.get(plainLabel(label));
  return { names, idOf, note: `the classes are ${shown(names)}${similarNames(names)}` };
}

/** Whether a label is one of some names. */
function isIn(names: readonly string[]): (label: string) => boolean {
  const plain = new Set(names.map(plainLabel));
  return (label) => plain.has(plainLabel(label));
}

/** Names of the file if the labels are among them, or number them from 0. */
function namesFromFile(
  { labels, labelsFile, labelsHint, firstPlaces }: LabelsFound,
  names: readonly string[],
): string[] {
  const isNamed = isIn(names);
  const unnamed = labels.find((label) => !isNamed(label));
  if (unnamed === undefined) return [...names];
  const isNumbered = labels.every((label) => {
    const id = integerIn(label);
    return id !== undefined && id >= 0 && id < names.length;
  });
  if (isNumbered) return [...names];
  throw new DataError(
    `${firstPlaces.get(unnamed) ?? ''}: label ${JSON.stringify(unnamed)} is not among the names in ${labelsFile ?? ''}`,
    {
      hint: `add the name, or correct the label: the file has ${shown(names)}${labelsHint === undefined ? '' : `; ${labelsHint}`}`,
    },
  );
}

/** Ascending: by number if all labels are numbers, else by code unit, so that the order is the same on every machine. */
function sortedLabels(labels: readonly string[]): string[] {
  const areNumbers = labels.every((label) => Number.isFinite(Number(label)));
  return [...labels].sort((a, b) => (areNumbers ? Number(a) - Number(b) : 0) || (a < b ? -1 : a > b ? 1 : 0));
}

/** With more classes configured than there are labels, whole numbers are ids, and the other classes have no examples. */
function withEmptyClasses(labels: string[], numClasses: number | undefined): string[] {
  if (numClasses === undefined || labels.length >= numClasses) return labels;
  const areIds = labels.every((label) => {
    const id = integerIn(label);
    return id !== undefined && id >= 0 && id < numClasses;
  });
  return areIds ? Array.from({ length: numClasses }, (_, id) => String(id)) : labels;
}

/** Ids and names; names that are numbers are told apart from the ids by quotation marks. */
function shown(names: readonly string[]): string {
  const areIds = names.every((name, id) => name === String(id));
  const haveNumbers = names.some((name) => Number.isFinite(Number(name)));
  const listed = names
    .slice(0, shownClasses)
    .map((name, id) => (areIds ? name : haveNumbers ? `id ${id}: ${JSON.stringify(name)}` : `${id} = ${name}`));
  return `${listed.join(', ')}${names.length > shownClasses ? ` and ${names.length - shownClasses} more` : ''}`;
}

/** Two names that differ in case alone are probably one class. */
function similarNames(names: readonly string[]): string {
  const byLowerCase = new Map<string, string>();
  for (const name of names) {
    const other = byLowerCase.get(name.toLowerCase());
    if (other !== undefined)
      return ` (${JSON.stringify(other)} and ${JSON.stringify(name)} differ only in case, and are two classes)`;
    byLowerCase.set(name.toLowerCase(), name);
  }
  return '';
}
