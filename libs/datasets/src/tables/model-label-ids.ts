import { integerIn } from './cell-text.js';

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
  const ids = new Map(names.map((name, id) => [name, id]));
  const areNumbers = names.some((name) => integerIn(name) !== undefined);
  return (label) => {
    const named = ids.get(label) ?? truthValue(label, names);
    if (named !== undefined || areNumbers) return named;
    const id = integerIn(label);
    return id !== undefined && id >= 0 && id < numClasses ? id : undefined;
  };
}

function truthValue(label: string, names: readonly string[]): number | undefined {
  const value = label.toLowerCase();
  if (value !== 'true' && value !== 'false') return undefined;
  const found = names.findIndex((name) => name.toLowerCase() === value);
  return found < 0 ? undefined : found;
}
