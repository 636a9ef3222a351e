import { DataError } from './data-error.js';
import { readWholeText } from './read-lines.js';

/**
 * Reads the class names by label id: one name per line (`label_ids.tsv`), or `name<TAB>label` lines (chemprot's
 * `label_mapping.tsv`).
 *
 * @throws DataError when the file is missing or empty, a name is empty, or the labels are not 0, 1, 2, …
 */
export async function readLabelNames(path: string): Promise<string[]> {
  const lines = (await readWholeText(path)).split('\n');
  while (lines.at(-1)?.trim() === '') lines.pop();
  if (lines.length === 0) {
    throw new DataError(`${path} has no class names`, {
      hint: 'write one name per line; the first line names label 0',
    });
  }
  const pairs = lines.map((line) => /^(.*)\t(\d+)$/.exec(line));
  const names = pairs.every((pair) => pair !== null) ? byLabel(path, pairs) : lines.map((line) => line.trim());
  const empty = names.findIndex((name) => name === '');
  if (empty >= 0) {
    throw new DataError(`${path}: class ${empty} has no name`, {
      hint: 'write one name per line; the first line names label 0',
    });
  }
  return names;
}

function byLabel(path: string, pairs: RegExpExecArray[]): string[] {
  const names = new Array<string>(pairs.length).fill('');
  pairs.forEach(([, name = '', label], index) => {
    if (Number(label) >= pairs.length || names[Number(label)] !== '') {
      throw new DataError(
        `${path}:${index + 1}: label ${label} is repeated, or not between 0 and ${pairs.length - 1}`,
        {
          hint: 'the labels of the mapping start at 0 and have no gaps',
        },
      );
    }
    names[Number(label)] = name.trim();
  });
  return names;
}
