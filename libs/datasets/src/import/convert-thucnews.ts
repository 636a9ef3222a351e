import { join } from 'node:path';
import { stripSpaces } from '@nautil/python-format';
import { readWholeText } from '../read-lines.js';
import type { Converter, ConvertOptions, Row } from './conversion.js';
import { folderWith, refuseOtherClasses, textFiles } from './source-files.js';

/** NeMo's categories; the label is the index in this list, even if a category is absent. */
const categories = [
  '体育',
  '娱乐',
  '家居',
  '彩票',
  '房产',
  '教育',
  '时尚',
  '时政',
  '星座',
  '游戏',
  '社会',
  '科技',
  '股票',
  '财经',
];

/** Converts THUCNews: `{category}/*.txt`; the first fifth of each category is the test set. */
export const convertThucnews: Converter = async (options) => {
  const root = await folderWith(options.source, categories, 'http://thuctc.thunlp.org/');
  await refuseOtherClasses(root, categories, 'THUCNews');
  const files = new Map<number, { train: string[]; test: string[] }>();
  for (const [label, category] of categories.entries()) {
    const all = await textFiles(join(root, category));
    if (all.length === 0) {
      options.note(`category ${category} (label ${label}) has no files`);
      continue;
    }
    // NOTE: NeMo's floating-point expression gives 19 test files of 100, not 20.
    const forTest = options.nemoCompatible ? Math.trunc(all.length * (1 - 0.8)) : Math.floor(all.length / 5);
    files.set(label, { train: all.slice(forTest), test: all.slice(0, forTest) });
  }
  const rowsOf = (split: 'train' | 'test') => () => readNews(files, split, options);
  const hasTest = [...files.values()].some(({ test }) => test.length > 0);
  if (!hasTest) options.note('no category has five files: no test.tsv is written');
  return {
    splits: { train: rowsOf('train'), ...(hasTest || options.nemoCompatible ? { test: rowsOf('test') } : {}) },
    ...(options.nemoCompatible
      ? {}
      : { labels: () => ({ name: 'label_ids.tsv', content: `${categories.join('\n')}\n` }) }),
  };
};

async function* readNews(
  files: ReadonlyMap<number, { train: string[]; test: string[] }>,
  split: 'train' | 'test',
  { doLowerCase, nemoCompatible }: ConvertOptions,
): AsyncGenerator<Row> {
  for (const [label, bySplit] of files) {
    for (const file of bySplit[split]) {
      const news = stripSpaces(await readWholeText(file, { keepByteOrderMark: nemoCompatible }));
      // NeMo joins the lines without a space and ignores do_lower_case here.
      if (nemoCompatible) yield { text: news.replaceAll('\n', '').replaceAll('\t', ' '), label };
      else yield { text: doLowerCase ? news.toLowerCase() : news, label };
    }
  }
}
