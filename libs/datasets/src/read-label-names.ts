import { DataError } from './data-error.js';
import { readWholeText } from './read-lines.js';

/**
 * The names of the classes, by label: one name a line (`label_ids.tsv`), or `name<TAB>label` lines (chemprot's `label_mapping.tsv`).
 *
 * @throws DataError for a file that is missing or empty, a name that is empty, or labels that don't count from 0.
 */
export async function readLabelNames(path: string): Promise<string[]> {
  const lines = (await readWholeText(path)).split('\n');
  while (lines.at(-1)?.trim() === '') lines.pop();
  if (lines.length === 0) {
    throw new DataError(`${path} holds no class name`, { hint: 'write one name a line, the first for label 0' });
  }
  const pairs = lines.map((line) => /^(.*)\t(\d+)$/.exec(line));
  const names = pairs.every((pair) => pair !== null) ? byLabel(path, pairs) : lines.map((line) => line.trim());
  const empty = names.findIndex((name) => name === '');
  if (empty >= 0) {
    throw new DataError(`${path}: class ${empty} has no name`, {
      hint: 'write one name a line, the first for label 0',
    });
  }
  return names;
}

function byLabel(path: string, pairs: RegExpExecArray[]): string[] {
  const names = new Array<string>(pairs.length).fill('');
  pairs.forEach(([, name = '', label], index) => {
    if (Number(label) >= pairs.length || names[Number(label)] !== '') {
      throw new DataError(
        `${path}:${index + 1}: label ${label} is given twice, or is not within 0 … ${pairs.length - 1}`,
        {
          hint: 'the labels of the mapping count from 0 without a gap',
        },
      );
    }
    names[Number(label)] = name.trim();
  });
  return names;
}
