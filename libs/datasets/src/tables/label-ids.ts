import { integerIn, plainLabel } from './cell-text.js';
import { shownName } from './shown-names.js';

/**
 * Finds the class that a label of a file means, to a run and to a trained model alike. It depends on the names of the classes and on
 * the format of the file, and never on which labels the file happens to have:
 *
 * - In NeMo's format without a header (`areIds`), a label is an id.
 * - In a table, it is the name of a class. Where no name is a whole number, a whole number is an id. Truth values are found in any
 *   case, since pandas writes True and JSON true.
 *
 * @param model.labels - names by id; undefined for classes whose names are their ids
 * @returns the id of a label, or undefined for one that is no class
 */
export function labelIds(
  { labels, numClasses }: { labels?: readonly string[] | undefined; numClasses: number },
  { areIds }: { areIds: boolean },
): (label: string) => number | undefined {
  const names = labels === undefined || areIds ? Array.from({ length: numClasses }, (_, id) => String(id)) : labels;
  const ids = new Map(names.map((name, id) => [plainLabel(name), id]));
  const areNumbers = names.some((name) => integerIn(name) !== undefined);
  return (label) => {
    const named = ids.get(plainLabel(label));
    if (named !== undefined || areNumbers) return named;
    const id = integerIn(label);
    return id !== undefined && id >= 0 && id < numClasses ? id : undefined;
  };
}

/** How labels in NeMo's format become names. */
export const headerHint = 'with "text", a tab and "label" as the first line, labels are names';

/**
 * A sentence on what the labels of a file in NeMo's format mean to a model whose classes have whole numbers as names that are not
 * their ids; undefined for other models.
 */
export function idsNote(file: string, labels: readonly string[] | undefined): string | undefined {
  const id = labels?.findIndex((name, at) => integerIn(name) !== undefined && name !== String(at)) ?? -1;
  const name = labels?.[id];
  if (name === undefined) return undefined;
  return `${file}: labels are the ids of classes, as in NeMo's format: ${id} is the class named ${name}; ` + headerHint;
}

/**
 * A sentence on whether labels of a table that are whole numbers are read as names of classes or as ids; undefined without such labels,
 * and where names and ids are the same.
 */
export function numbersNote(found: Iterable<string>, labels: readonly string[] | undefined): string | undefined {
  const numbers = [...found].filter((label) => integerIn(label) !== undefined);
  if (labels === undefined || numbers.length === 0) return undefined;
  const named = labels.findIndex((name, id) => integerIn(name) !== undefined && name !== String(id));
  if (named >= 0)
    return `labels that are whole numbers are taken as names of classes, and not as ids: ${labels[named]} has the id ${named}`;
  if (labels.some((name) => integerIn(name) !== undefined)) return undefined;
  const meanings = labels.slice(0, 10).map((name, id) => `${id} = ${shownName(name)}`);
  return `labels that are whole numbers are taken as ids of classes: ${meanings.join(', ')}${labels.length > 10 ? ', …' : ''}`;
}
