import { join } from 'node:path';
import { parsePythonInt } from '@nautil/python-format';
import { DataError } from '../data-error.js';
import { readLines } from '../read-lines.js';
import { type Converter, type ConvertOptions, notOriginal, type Row } from './conversion.js';
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

/** Whether a test set has labels: GLUE's has no such column, and others have -1 ("unknown") on every line. */
async function hasLabels(file: string): Promise<boolean> {
  let isHeader = true;
  for await (const lines of readLines(file)) {
    for (const line of lines) {
      if (isHeader && line.split('\t')[1] === 'sentence') return false;
      const label = labelOf(line);
      if (label !== -1 && !(isHeader && label === undefined)) return label !== undefined;
      isHeader = false;
    }
  }
  return false;
}

const header = 'sentence\tlabel';

const noHeader = (file: string, isDropped: boolean): string =>
  `${file}:1: the line is not SST-2's header, "sentence<TAB>label"; it is ${isDropped ? 'left out' : 'read as an example'}. Check that the file is SST-2's`;

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
      if (lineNumber === 1) {
        const isDropped = nemoCompatible || label === undefined;
        if (line !== header) note(noHeader(file, isDropped));
        if (isDropped) continue;
      }
      if (line.trim() === '') {
        blank++;
        continue;
      }
      if (label === undefined) {
        throw new DataError(`${file}:${lineNumber}: the second column is not an integer label`, {
          hint: 'each line after the header is a sentence, a tab, and 0 or 1',
        });
      }
      if (label !== 0 && label !== 1) {
        throw new DataError(`${file}:${lineNumber}: ${label} is not a label of SST-2, which has 0 and 1`, {
          hint: notOriginal('SST-2'),
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
