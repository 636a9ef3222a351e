import { join } from 'node:path';
import { parsePythonInt } from '@nautil/python-format';
import { DataError } from '../data-error.js';
import { readLines } from '../read-lines.js';
import type { Converter, ConvertOptions, Row } from './conversion.js';
import { exists, folderWith } from './source-files.js';

/** Converts SST-2 in GLUE's layout: `{train,dev}.tsv` with a header, sentence and label. GLUE's test.tsv has no labels. */
export const convertSst2: Converter = async (options) => {
  const root = await folderWith(options.source, ['train.tsv'], 'https://gluebenchmark.com/tasks');
  const splits: Awaited<ReturnType<Converter>>['splits'] = {};
  for (const split of ['train', 'dev', 'test'] as const) {
    const file = join(root, `${split}.tsv`);
    if (split === 'test' && options.nemoCompatible) continue;
    if (!(await exists(file))) options.note(`there is no ${split}.tsv in ${root}`);
    else if (split === 'test' && !(await hasLabels(file)))
      options.note(`${file} has no labels: no test.tsv is written`);
    else splits[split] = () => readSentences(file, options);
  }
  return { splits, labels: () => ({ name: 'label_ids.tsv', content: 'negative\npositive\n' }) };
};

async function hasLabels(file: string): Promise<boolean> {
  for await (const [header = '', first = ''] of readLines(file)) {
    const columns = header.split('\t');
    return columns[0] === 'sentence' ? columns[1] === 'label' : labelOf(first) !== undefined;
  }
  return false;
}

async function* readSentences(
  file: string,
  { doLowerCase, nemoCompatible, note }: ConvertOptions,
): AsyncGenerator<Row> {
  let lineNumber = 0;
  let blank = 0;
  for await (const lines of readLines(file)) {
    for (const line of lines) {
      lineNumber++;
      const label = labelOf(line);
      if (lineNumber === 1 && (nemoCompatible || label === undefined)) continue;
      if (line.trim() === '') {
        blank++;
        continue;
      }
      if (label === undefined) {
        throw new DataError(`${file}:${lineNumber}: the second column is not an integer label`, {
          hint: 'each line after the header is a sentence, a tab, and 0 or 1',
        });
      }
      const text = line.slice(0, line.indexOf('\t'));
      yield { text: doLowerCase ? text.toLowerCase() : text, label };
    }
  }
  if (blank > 0) note(`${file}: ${blank} blank lines were skipped`);
}

/** The label in the second column; quotation marks have no special meaning in these files. */
function labelOf(line: string): number | undefined {
  const column = line.split('\t')[1];
  return column === undefined ? undefined : parsePythonInt(column);
}
