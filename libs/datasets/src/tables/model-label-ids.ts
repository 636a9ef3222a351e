import { integerIn, plainLabel } from './cell-text.js';

/**
 * Finds the class of a trained model that a label of a table means: the one of that name. Where no name is a whole number, a
 * whole number is the id of a class, as in NeMo's files. Truth values are found in any case, since pandas writes True and JSON true.
 *
 * @param model.labels - names by id; undefined for a model whose classes are numbers
 * @returns the id of a label, or undefined for one that the model does not know
 */
export function modelLabelIds({
  labels,
  numClasses,
}: {
  labels: readonly string[] | undefined;
  numClasses: number;
}): (label: string) => number | undefined {
  const names = labels ?? Array.from({ length: numClasses }, (_, id) => String(id));
  const ids = new Map(names.map((name, id) => [plainLabel(name), id]));
  const areNumbers = names.some((name) => integerIn(name) !== undefined);
  return (label) => {
    const named = ids.get(plainLabel(label));
    if (named !== undefined || areNumbers) return named;
    const id = integerIn(label);
    return id !== undefined && id >= 0 && id < numClasses ? id : undefined;
  };
}

/**
 * A sentence on what the labels of a file in NeMo's format mean to a model whose classes have whole numbers as names that are not
 * their ids; undefined for other models.
 */
export function idsNote(file: string, labels: readonly string[] | undefined): string | undefined {
  const id = labels?.findIndex((name, at) => integerIn(name) !== undefined && name !== String(at)) ?? -1;
  const name = labels?.[id];
  if (name === undefined) return undefined;
  return (
    `${file}: labels are the ids of classes, as in NeMo's format: ${id} is the class named ${name}; ` +
    'with "text", a tab and "label" as the first line, labels are names'
  );
}

/** A sentence on labels of a table that are whole numbers and no names of classes, which are taken as ids; undefined without such labels. */
export function numbersNote(found: Iterable<string>, labels: readonly string[] | undefined): string | undefined {
  if (labels === undefined || labels.some((name) => integerIn(name) !== undefined)) return undefined;
  const isNumber = [...found].some((label) => integerIn(label) !== undefined && !labels.includes(label));
  if (!isNumber) return undefined;
  const meanings = labels.slice(0, 10).map((name, id) => `${id} = ${name}`);
  return `labels that are whole numbers are taken as ids of classes: ${meanings.join(', ')}${labels.length > 10 ? ', …' : ''}`;
}
