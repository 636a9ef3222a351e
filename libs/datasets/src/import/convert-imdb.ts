import { join } from 'node:path';
import { stripSpaces } from '@nautil/python-format';
import { readWholeText } from '../read-lines.js';
import type { Converter, ConvertOptions, Row, Split } from './conversion.js';
import { exists, folderWith, refuseOtherClasses, textFiles } from './source-files.js';

const classes = ['neg', 'pos'];

/** Converts IMDB reviews (Maas et al., 2011): `{train,test}/{neg,pos}/*.txt`. */
export const convertImdb: Converter = async (options) => {
  const root = await folderWith(options.source, ['train'], 'https://ai.stanford.edu/~amaas/data/sentiment/');
  const rowsOf = (split: Split) => () => readReviews(join(root, split), options);
  const hasTest = await exists(join(root, 'test'));
  for (const split of hasTest ? ['train', 'test'] : ['train'])
    // `unsup` has the reviews without labels of the original.
    await refuseOtherClasses(join(root, split), [...classes, 'unsup'], 'IMDB');
  if (!hasTest) options.note('there is no test folder: no test.tsv is written');
  return {
    splits: { train: rowsOf('train'), ...(hasTest ? { test: rowsOf('test') } : {}) },
    labels: () => ({ name: 'label_ids.tsv', content: 'negative\npositive\n' }),
  };
};

async function* readReviews(folder: string, { doLowerCase, nemoCompatible }: ConvertOptions): AsyncGenerator<Row> {
  for (const [label, name] of classes.entries()) {
    for (const file of await textFiles(join(folder, name))) {
      const review = stripSpaces(await readWholeText(file, { keepByteOrderMark: nemoCompatible }));
      const text = doLowerCase ? review.toLowerCase() : review;
      // NeMo removes the tag without a space, which joins the words on both sides of it.
      yield { text: nemoCompatible ? text.replaceAll('<br />', '') : text.replace(/<br\s*\/?>/gi, ' '), label };
    }
  }
}
