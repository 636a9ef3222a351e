import { counted } from '@nautil/contracts';
import { DataError } from './data-error.js';
import { readWholeText } from './read-lines.js';

/**
 * Reads the class names by label id: one name per line (`label_ids.tsv`), `name<TAB>label` lines (chemprot's
 * `label_mapping.tsv`), or `label<TAB>name` lines.
 *
 * @param numClasses - the number of classes that need a name; undefined accepts any number
 * @throws DataError when the file is missing or empty, a name is empty or repeated, the labels are not 0, 1, 2, …, or the
 * number of names is not the number of classes
 */
export async function readLabelNames(path: string, numClasses?: number): Promise<string[]> {
  const byLabel = await readNamesByLabel(path);
  const names = Array.from({ length: byLabel.size }, (_, label) => {
    const name = byLabel.get(label);
    if (name !== undefined) return name;
    throw new DataError(`${path}: label ${label} is missing: the labels are not between 0 and ${byLabel.size - 1}`, {
      hint: 'the labels of the mapping start at 0 and have no gaps',
    });
  });
  const fault = numClasses === undefined ? undefined : labelNamesFault(path, names, numClasses);
  if (fault) throw new DataError(fault.message, { hint: fault.hint });
  return names;
}

/** Why the names of a file do not fit a number of classes. `inspect` and runs share this decision. */
export function labelNamesFault(
  path: string,
  names: readonly string[],
  numClasses: number,
): { message: string; hint: string } | undefined {
  if (names.length === numClasses) return undefined;
  return {
    message: `${path} has ${counted(names.length, 'name')}, and there are ${numClasses} classes`,
    hint:
      names.length > numClasses
        ? `remove names, or set model.dataset.num_classes=${names.length} if the training data lacks some classes`
        : 'write one name for each class; the first line names label 0',
  };
}

/**
 * Reads class names whose labels may have gaps or be negative.
 *
 * @throws DataError when the file is missing or empty, or a name or label is empty or repeated
 */
export async function readNamesByLabel(path: string): Promise<Map<number, string>> {
  const lines = (await readWholeText(path)).split('\n');
  while (lines.at(-1)?.trim() === '') lines.pop();
  if (lines.length === 0) {
    throw new DataError(`${path} has no class names`, {
      hint: 'write one name per line; the first line names label 0',
    });
  }
  const seen = new Set<string>();
  const names = new Map<number, string>();
  for (const [index, [label, name]] of labelledNames(path, lines).entries()) {
    if (name === '') {
      throw new DataError(`${path}: class ${label} has no name`, {
        hint: 'write one name per line; the first line names label 0',
      });
    }
    if (names.has(label)) throw new DataError(`${path}:${index + 1}: label ${label} is repeated`);
    if (seen.has(name)) {
      throw new DataError(`${path}:${index + 1}: the name ${JSON.stringify(name)} is repeated`, {
        hint: 'each class needs a name of its own',
      });
    }
    names.set(label, name);
    seen.add(name);
  }
  return names;
}

function labelledNames(path: string, lines: readonly string[]): [label: number, name: string][] {
  if (!lines.some((line) => line.trim().includes('\t'))) return lines.map((line, label) => [label, line.trim()]);
  const labelLast = lines.map((line) => /^([^\t]*)\t(-?\d+)$/.exec(line)).filter((match) => match !== null);
  const labelFirst = lines.map((line) => /^(-?\d+)\t([^\t]*)$/.exec(line)).filter((match) => match !== null);
  const last = labelLast.length === lines.length;
  const first = labelFirst.length === lines.length;
  if (last && first) {
    throw new DataError(`${path}: both columns are numbers, so it is unclear which one is the label`, {
      hint: 'write one name per line; the first line names label 0',
    });
  }
  if (last) return labelLast.map(([, name = '', label]) => [Number(label), name.trim()]);
  if (first) return labelFirst.map(([, label, name = '']) => [Number(label), name.trim()]);
  const line = lines.findIndex((content) => content.includes('\t'));
  throw new DataError(
    `${path}:${line + 1}: a tab in a file of class names, but not every line has a name and a label`,
    {
      hint: 'write one name per line, or a name, a tab and a label on every line',
    },
  );
}
