import { join } from 'node:path';
import { DataError } from '../data-error.js';
import { readLines } from '../read-lines.js';
import { type Converter, type ConvertOptions, notOriginal, type Row } from './conversion.js';
import { exists, folderWith } from './source-files.js';

/** In NeMo's order, which determines the labels. */
const fileNames = { train: 'trainingPosit_chem', test: 'testPosit_chem', dev: 'developPosit_chem' } as const;

/** The groups of interactions in ChemProt. */
const isKind = /^CPR:\d{1,2}$/;

/**
 * Converts ChemProt in the layout of recursive_chemprot: PMID, sentence, whether the entities interact, kind of interaction.
 * Labels are numbered in the order of their first appearance.
 */
export const convertChemprot: Converter = async (options) => {
  const origin = 'https://github.com/arwhirang/recursive_chemprot (Demo/tree_LSTM/data)';
  const root = await folderWith(options.source, [fileNames.train], origin);
  const ids = new Map<string, number>();
  const splits: Awaited<ReturnType<Converter>>['splits'] = {};
  for (const split of ['train', 'test', 'dev'] as const) {
    const file = join(root, fileNames[split]);
    if (await exists(file)) splits[split] = () => readRelations(file, ids, options);
    else options.note(`there is no ${fileNames[split]}: no ${split}.tsv is written`);
  }
  return {
    splits,
    labels: () => ({ name: 'label_mapping.tsv', content: [...ids].map(([name, id]) => `${name}\t${id}\n`).join('') }),
  };
};

async function* readRelations(
  file: string,
  ids: Map<string, number>,
  { doLowerCase }: ConvertOptions,
): AsyncGenerator<Row> {
  let lineNumber = 0;
  for await (const lines of readLines(file)) {
    for (const line of lines) {
      lineNumber++;
      const [, text, interacts, kind] = line.split('\t');
      const name = interacts === 'True' ? kind : interacts;
      if (text === undefined || !name) {
        throw new DataError(`${file}:${lineNumber}: no label in columns 3 and 4`, {
          hint: 'each line is PMID, sentence, True or False, and CPR:n, separated by tabs',
        });
      }
      if (interacts === 'True' ? !isKind.test(name) : interacts !== 'False') {
        throw new DataError(`${file}:${lineNumber}: ${JSON.stringify(name)} is not a label of ChemProt`, {
          hint: `its labels are False and CPR:n; ${notOriginal('ChemProt')}`,
        });
      }
      const label = ids.get(name) ?? ids.size;
      ids.set(name, label);
      yield { text: doLowerCase ? text.toLowerCase() : text, label };
    }
  }
}
