import { counted } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import { labelFault } from '../trainability.js';
import { integerIn, plainLabel } from './cell-text.js';
import { headerHint, labelIds } from './label-ids.js';
import { nameDoubts } from './name-doubts.js';
import { quotedName, shownName } from './shown-names.js';

export interface ClassNames {
  /** Names by id. */
  names: string[];

  /** Sentences on the numbering, and on names that are probably mistakes. */
  notes: string[];
}

export interface LabelsFound {
  /** The training data, for messages. */
  path: string;
  column: string;

  /** The different labels of the training data. */
  labels: readonly string[];

  /** Whether they are ids, as in NeMo's format. */
  areIds: boolean;

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
  const names = [
    ...(labelNames ?? defined ?? (found.areIds ? idsUpTo(found) : withEmptyClasses(sortedLabels(labels), numClasses))),
  ];
  if (numClasses !== undefined && names.length !== numClasses) {
    throw new DataError(
      `${path} has ${counted(names.length, 'different label')}, and model.dataset.num_classes is ${numClasses}: ${shown(names)}`,
      {
        hint: `set model.dataset.num_classes to null or to ${names.length}${names.length < numClasses ? ', or name all classes in model.class_labels.class_labels_file' : ''}`,
        setting: `model.dataset.num_classes=${names.length}`,
      },
    );
  }
  if (names.length < 2) {
    throw new DataError(
      `${path}: all rows have the label ${quotedName(names[0] ?? '')}, and a classifier needs two classes`,
      {
        hint: `check that column ${JSON.stringify(found.column)} has the labels; if the other classes are only absent here, name all of them in model.class_labels.class_labels_file`,
      },
    );
  }
  requireDifferent(found, names);
  requireNamed(found, names);
  return { names, notes: [`the classes are ${shown(names)}`, ...nameDoubts(names)] };
}

/** @throws DataError for two names that a table has as one label, such as True and true */
function requireDifferent({ labelsFile, path }: LabelsFound, names: readonly string[]): void {
  const byLabel = new Map<string, string>();
  for (const name of names) {
    const other = byLabel.get(plainLabel(name));
    if (other !== undefined)
      throw new DataError(
        `${labelsFile ?? path}: ${quotedName(other)} and ${quotedName(name)} are one label, and name two classes`,
        {
          hint: 'give the classes different names',
        },
      );
    byLabel.set(plainLabel(name), name);
  }
}

/** @throws DataError for a label of the training data that is no class */
function requireNamed({ labels, areIds, labelsFile, labelsHint, firstPlaces }: LabelsFound, names: string[]): void {
  const idOf = labelIds({ labels: names, numClasses: names.length }, { areIds });
  const unknown = labels.find((label) => idOf(label) === undefined);
  if (unknown === undefined) return;
  const place = firstPlaces.get(unknown) ?? '';
  if (areIds)
    throw new DataError(
      `${place}: label ${unknown} is not between 0 and ${names.length - 1}, and in NeMo's format labels are ids of classes`,
      {
        hint: `correct the label; ${headerHint}`,
      },
    );
  throw new DataError(`${place}: label ${quotedName(unknown)} is not among the names in ${labelsFile ?? 'the table'}`, {
    hint: `add the name, or correct the label: the file has ${shown(names)}${labelsHint === undefined ? '' : `; ${labelsHint}`}`,
  });
}

/** The classes of a file in NeMo's format: from 0 to the largest label. */
function idsUpTo({ labels, numClasses, firstPlaces }: LabelsFound): string[] {
  const fault = labelFault(labels.map(Number), numClasses);
  if (fault !== undefined && fault.kind !== 'one-label')
    throw new DataError(`${firstPlaces.get(String(fault.label)) ?? ''}: ${fault.message}`, {
      hint: `correct the labels; ${headerHint}`,
    });
  const largest = labels.reduce((most, label) => Math.max(most, Number(label)), 0);
  return Array.from({ length: numClasses ?? largest + 1 }, (_, id) => String(id));
}

/** Ascending: by number if all labels are numbers, else by code unit, so that the order is the same on every machine. */
function sortedLabels(labels: readonly string[]): string[] {
  const areNumbers = labels.every((label) => Number.isFinite(Number(label)));
  return [...labels].sort((a, b) => (areNumbers ? Number(a) - Number(b) : 0) || (a < b ? -1 : a > b ? 1 : 0));
}

/**
 * With more classes configured than there are labels, whole numbers from 0 are ids, and the other classes have no examples. Without a
 * label 0, they may as well be a part of names such as 1 to 5, so they stay names, and their number is an error.
 */
function withEmptyClasses(labels: string[], numClasses: number | undefined): string[] {
  if (numClasses === undefined || labels.length >= numClasses || !labels.includes('0')) return labels;
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
    .map((name, id) => (areIds ? name : haveNumbers ? `id ${id}: ${quotedName(name)}` : `${id} = ${shownName(name)}`));
  return `${listed.join(', ')}${names.length > shownClasses ? ` and ${names.length - shownClasses} more` : ''}`;
}
