import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A text and the name of its class. */
export interface Example {
  text: string;
  label: string;
}

/** A data set that `nautil new` is tried on. */
export interface SampledData {
  /** For `--only`. */
  name: string;

  /** Examples for training, of which a tenth becomes the validation set, and for the test. */
  sizes: { train: number; test: number };

  read: (split: 'train' | 'test') => Promise<Example[]>;
}

/** The data sets that NeMo's `import_datasets.py` reads and that are in English, as the encoder. @param folder - `shared/data` */
export const sampledData = (folder: string): SampledData[] => [
  {
    name: 'sst-2',
    sizes: { train: 1000, test: 800 },
    read: async (split) =>
      (await linesOf(join(folder, 'sst-2', `clairett_${split}.tsv`))).map((line) => {
        const tab = line.lastIndexOf('\t');
        return { text: line.slice(0, tab), label: line.slice(tab + 1) === '1' ? 'positive' : 'negative' };
      }),
  },
  {
    name: 'chemprot',
    sizes: { train: 500, test: 600 },
    read: async (split) => {
      const rows = async (name: string): Promise<Example[]> =>
        (await linesOf(join(folder, 'chemprot', 'scibert', `${name}.txt`))).map((line) => {
          const { text, label } = JSON.parse(line) as Example;
          return { text, label };
        });
      const counts = new Map<string, number>();
      for (const { label } of await rows('train')) counts.set(label, (counts.get(label) ?? 0) + 1);
      return (await rows(split)).filter(({ label }) => (counts.get(label) ?? 0) >= fewestOfClass);
    },
  },
  {
    name: 'imdb',
    sizes: { train: 200, test: 300 },
    read: async (split) => {
      const classes = [
        ['neg', 'negative'],
        ['pos', 'positive'],
      ] as const;
      const reviews = classes.map(async ([name, label]) => {
        const place = join(folder, 'imdb', 'aclImdb', split, name);
        return Promise.all(
          (await readdir(place)).map(async (file) => ({ text: await readFile(join(place, file), 'utf8'), label })),
        );
      });
      return (await Promise.all(reviews)).flat();
    },
  },
];

/** Headlines in Chinese, with 10 classes. @param folder - `shared/data` */
export const chineseData = (folder: string): SampledData => ({
  name: 'thucnews',
  sizes: { train: 1000, test: 800 },
  read: async (split) => {
    const place = (name: string): string => join(folder, 'thucnews', name);
    const names = await linesOf(place('649453932_class.txt'));
    const file = split === 'train' ? 'mikkyli_train.txt' : '649453932_test.txt';
    return (await linesOf(place(file))).map((line) => {
      const [text = '', id = ''] = line.split('\t');
      return { text, label: names[Number(id)] ?? id };
    });
  },
});

/** A sample lacks some of the classes that have fewer examples. */
const fewestOfClass = 100;

const linesOf = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');

/** A sample of a split. It depends on the texts alone: it is those with the smallest digests. */
export async function sample({ sizes, read }: SampledData, split: 'train' | 'test'): Promise<Example[]> {
  const digest = ({ text }: Example): string => createHash('sha256').update(text).digest('hex');
  const rows = (await read(split)).map((row) => ({ row, digest: digest(row) }));
  const sorted = rows.sort((a, b) => (a.digest < b.digest ? -1 : 1));
  return sorted.slice(0, sizes[split]).map(({ row }) => row);
}
