import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Example } from '@nautil/contracts';
import { goldenPath, goldenSetWith, readGoldenJson, withFolder } from '@nautil/testing';
import { classWeights, labelCounts } from './class-weights.js';
import { type DatasetName, importDataset } from './import/import-dataset.js';
import { examplesOf, readExamples } from './read-examples.js';
import type { SkippedLine } from './skipped-line.js';

/** A case of NeMo 1.8.2's own dataset class: its input, its features and what it logged, or its error. */
interface DatasetCase {
  input?: string;
  args?: { num_samples?: number };
  features?: [ids: number[], segments: number[], mask: number[], label: number][];
  log?: [level: string, text: string][];
  error?: string;
  freq?: Record<string, number>;
  num_classes?: number;
  weights?: number[];
}

const cases = Object.entries(readGoldenJson('nemo-files/dataset_golden.json') as Record<string, DatasetCase>);

async function read(path: string, numSamples?: number): Promise<{ examples: Example[]; skipped: SkippedLine[] }> {
  const examples: Example[] = [];
  const skipped: SkippedLine[] = [];
  const lines = readExamples(path, numSamples === undefined ? {} : { numSamples });
  for await (const example of examplesOf(lines, (line) => skipped.push(line))) examples.push(example);
  return { examples, skipped };
}

const readText = (text: string, numSamples?: number) =>
  withFolder({ 'a.tsv': text }, (folder) => read(join(folder, 'a.tsv'), numSamples));

/** As an uncased BERT tokenizer strips them. */
const withoutAccents = (text: string): string => text.normalize('NFD').replace(/\p{Mn}/gu, '');

/** A list of strings as Python prints it. */
function pythonList(words: string[]): string {
  const quoted = words.map((word) => {
    const quote = word.includes("'") && !word.includes('"') ? '"' : "'";
    const escaped = word.replace(
      /[\p{C}\p{Z}]/gu,
      (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
    );
    return `${quote}${escaped}${quote}`;
  });
  return `[${quoted.join(', ')}]`;
}

describe('NeMo 1.8.2', () => {
  test.each(cases.filter(([, { input, features }]) => input !== undefined && features))(
    'reads %s as we do: the same labels and words',
    async (_, { input = '', args, features = [], log = [] }) => {
      const { examples } = await readText(input, args?.num_samples);
      expect(examples.map(({ label }) => label)).toEqual(features.map(([, , , label]) => label));
      const words = log.flatMap(([, text]) => /^example \d+: (.*)$/.exec(text)?.[1] ?? []);
      expect(words.length).toBe(Math.min(2, features.length));
      expect(examples.slice(0, 2).map(({ text }) => pythonList(text === '' ? [] : text.split(' ')))).toEqual(words);
    },
  );

  test('crashes at a blank line, which Nautil skips and reports', async () => {
    const blank = cases.find(([name]) => name === 'blank_line')?.[1];
    expect(blank?.error).toMatch(/IndexError/);
    const { examples, skipped } = await readText(blank?.input ?? '');
    expect(examples.map(({ line }) => line)).toEqual([1, 3]);
    expect(skipped.map(({ line }) => line)).toEqual([2]);
  });

  test('rejects an empty file, as Nautil does', async () => {
    expect(cases.find(([name]) => name === 'empty_file')?.[1].error).toMatch(/ValueError/);
    await expect(readText('')).rejects.toThrow(/is empty/);
  });

  test('computes the same class weights', () => {
    const weighed = cases.flatMap(([, { freq, num_classes, weights }]) =>
      freq && num_classes && weights ? [{ freq, num_classes, weights }] : [],
    );
    expect(weighed.length).toBeGreaterThan(0);
    for (const { freq, num_classes, weights } of weighed) {
      const counts = new Map(Object.entries(freq).map(([label, count]) => [Number(label), count]));
      expect(classWeights(counts, num_classes)).toEqual(weights);
    }
  });

  test('rejects a label beyond the classes when it computes weights, as Nautil does', async () => {
    const over = cases.find(([name]) => name === 'cw_over')?.[1];
    expect(over?.error).toMatch(/invalid label/);
    const { counts } = await withFolder({ 'a.tsv': over?.input ?? '' }, (folder) => labelCounts(join(folder, 'a.tsv')));
    expect(() => classWeights(counts, 2)).toThrow(/label 7/);
  });
});

describe('NeMo 1.23', () => {
  test('reads unusual lines as Nautil does', async () => {
    const features = readGoldenJson('nemo', 'edge_features.json') as { label: number; tokens: string[] }[];
    const { examples } = await read(goldenPath('nemo', 'edge.tsv'));
    expect(examples.map(({ label }) => label)).toEqual(features.map(({ label }) => label));
    const spelled = features
      .map(({ tokens }) => tokens.slice(1, -1))
      .map((pieces) =>
        pieces.includes('[UNK]') ? undefined : pieces.map((piece) => piece.replace(/^##/, '')).join(''),
      );
    expect(spelled.filter((text) => text).length).toBeGreaterThan(0);
    for (const [at, { text }] of examples.entries())
      if (spelled[at] !== undefined) expect(spelled[at]).toBe(withoutAccents(text.replaceAll(' ', '').toLowerCase()));
  });

  test('crashes at a blank line, which Nautil skips and reports', async () => {
    const { nemo_result: result } = readGoldenJson('nemo', 'edge_blank_line.expected.json') as { nemo_result: string };
    expect(result).toMatch(/IndexError/);
    const { examples, skipped } = await read(goldenPath('nemo', 'edge_blank_line.tsv'));
    expect(new Set(skipped.map(({ reason }) => reason))).toEqual(new Set(['blank line']));
    expect(examples.length).toBeGreaterThan(0);
  });
});

describe("NeMo's import_datasets.py", () => {
  const recorded = goldenSetWith('nemo-files', 'raw-data');
  const rawData = (layout: string): string => recorded.path('raw-data', layout);
  const digests = readFileSync(recorded.path('nemo-files/import_sha256.txt'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, digest, dataset, file] = /^([0-9a-f]{64}) {2}\.\/([^/]+)\/(.+)$/.exec(line) ?? [];
      return digest && dataset && file ? [{ digest, dataset: dataset as DatasetName, file }] : [];
    });
  const layouts: Record<DatasetName, string> = {
    'sst-2': 'sst-2/SST-2',
    chemprot: 'chemprot/recursive_chemprot_layout',
    imdb: 'imdb/aclImdb',
    thucnews: 'thucnews/THUCNews',
  };

  test.each(Object.keys(layouts) as DatasetName[])(
    'makes of %s what we make with nemoCompatible, byte by byte',
    async (name) => {
      const expected = digests.filter(({ dataset }) => dataset === name);
      expect(expected.length).toBeGreaterThan(0);
      await withFolder({}, async (target) => {
        // Twice: the second run must not add to the first, as NeMo's does for thucnews.
        for (const run of ['first', 'second']) {
          const imported = await importDataset({ name, source: rawData(layouts[name]), target, nemoCompatible: true });
          const written = [imported.train, imported.dev, imported.test, imported.labels].filter(
            (path) => path !== undefined,
          );
          const made = written.map((path) => ({
            file: path.slice(target.length + 1),
            digest: createHash('sha256').update(readFileSync(path)).digest('hex'),
          }));
          const byFile = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1);
          expect({ run, made: made.sort(byFile) }).toEqual({
            run,
            made: expected.map(({ file, digest }) => ({ file, digest })).sort(byFile),
          });
        }
      });
    },
  );

  test.each(Object.keys(layouts) as DatasetName[])(
    '%s is read back row by row as it was converted by default',
    async (name) => {
      await withFolder({}, async (target) => {
        const { counts, ...paths } = await importDataset({ name, source: rawData(layouts[name]), target });
        for (const split of ['train', 'dev', 'test'] as const) {
          const path = paths[split];
          if (path === undefined) continue;
          const { examples, skipped } = await read(path);
          expect(skipped).toEqual([]);
          expect(examples.length).toBe(counts[split]?.rows);
          expect(examples.filter(({ text }) => /<br|\t/.test(text))).toEqual([]);
          expect(readFileSync(path, 'utf8')).toBe(examples.map(({ text, label }) => `${text}\t${label}\n`).join(''));
        }
      });
    },
  );
});
