import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { configuredColumns, isTable } from '@nautil/activities';
import type { Config } from '@nautil/config';
import { counted, UsageError } from '@nautil/contracts';
import { examplesOf, labelCounts, readExamples, unknownLabel } from '@nautil/datasets';
import {
  findTableSplits,
  idsNote,
  openModelTables,
  openTable,
  type PlacedExample,
  sampling,
} from '@nautil/datasets/tables';
import { printMessage } from '../output.js';
import { SkippedLines } from '../skipped-lines.js';
import type { OpenedModel } from './open-model.js';

/** Reads examples, each time in the same order. */
type Read = () => AsyncIterable<PlacedExample>;

interface TestFile {
  /** A file, or a folder of tables or of texts for each class. */
  file: string;

  /** Leaves out labels that the model does not know, which are an error otherwise. */
  skipsUnknown: boolean;
  cwd: string;
}

/**
 * The examples of `model.test_ds`, as a run takes them: NeMo's TSV as NeMo reads it, and tables by their columns and the names
 * of their labels.
 *
 * @throws DataError as the readers, and for labels that the model does not know
 */
export async function openTestExamples(opened: OpenedModel, o: TestFile): Promise<Read> {
  const { classifier, config } = opened;
  const { data } = config.nautil;
  const { num_samples: numSamples } = config.model.test_ds;
  if (!(await areNamed(o.file, opened))) {
    if (data.sample !== 'random') return nemoReader(opened, { ...o, numSamples });
    const read = await nemoReader(opened, { ...o, numSamples: 0 });
    return sampled(read, await countOf(read), config);
  }
  if (data.relabel) printMessage('note: nautil.data.relabel has no effect on tables: their labels have names');
  const { notes, labelNote, unknown, count, examples } = await openModelTables({
    paths: await testTables(o.file),
    columns: configuredColumns(data),
    asTable: data.format === 'table',
    model: classifier,
    skipsUnknown: o.skipsUnknown,
  });
  for (const note of [...notes, labelNote, unknown]) if (note !== undefined) printMessage(`note: ${note}`);
  return data.sample === 'first' ? firstOf(examples, numSamples) : sampled(examples, count, config);
}

/** The number of examples by label of the training file that the user named. */
export async function trainingCounts(
  opened: OpenedModel,
  o: { file: string; cwd: string },
): Promise<ReadonlyMap<number, number>> {
  const { classifier, config } = opened;
  const { data } = config.nautil;
  if (!(await areNamed(o.file, opened))) {
    const newLabels = data.relabel ? await newLabelsOf(opened, o.cwd) : undefined;
    const { counts } = await labelCounts(o.file, { pairs: classifier.pairs });
    return new Map([...counts].map(([label, count]) => [newLabels?.get(label) ?? label, count]));
  }
  const { examples } = await openModelTables({
    paths: [o.file],
    columns: configuredColumns(data),
    asTable: data.format === 'table',
    model: classifier,
  });
  const counts = new Map<number, number>();
  for await (const { label } of examples()) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

/** The numbers that a run with `nautil.data.relabel=true` gives to the labels of its training file. */
async function newLabelsOf({ classifier, config }: OpenedModel, cwd: string): Promise<Map<number, number>> {
  const { numClasses, pairs } = classifier;
  const { file_path } = config.model.train_ds;
  if (file_path === null)
    throw new UsageError('nautil.data.relabel=true numbers the labels of the training file, and none is named', {
      hint: 'add model.train_ds.file_path=train.tsv, or set nautil.data.relabel=false for a test file with labels from 0',
    });
  const { counts } = await labelCounts(resolve(cwd, file_path), { pairs });
  if (counts.size !== numClasses)
    throw new UsageError(
      `${file_path} has ${counted(counts.size, 'different label')}, and the model has ${numClasses} classes`,
      {
        hint: 'name the training file of this model',
      },
    );
  return new Map([...counts.keys()].map((label, id) => [label, id]));
}

/** NOTE: what is not a file or a folder, such as a pipe, can be read only once, and is left to the reader of NeMo's format. */
async function areTables(path: string, data: Config['nautil']['data']): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return data.format !== 'nemo';
  return (found?.isFile() === true || data.format === 'table') && (await isTable(path, data));
}

/** The test set of a folder of tables, else the table itself. */
async function testTables(path: string): Promise<readonly string[]> {
  const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
  const splits = isFolder ? await findTableSplits(path) : undefined;
  return splits?.test ?? [path];
}

/** Whether labels are names of classes: those of tables are; those of NeMo's format, if it has a header and the names are other numbers than the ids. */
async function areNamed(file: string, { classifier: { labels }, config }: OpenedModel): Promise<boolean> {
  if (await areTables(file, config.nautil.data)) return true;
  const isFile = (await stat(file).catch(() => undefined))?.isFile() ?? false;
  if (!isFile || idsNote(file, labels) === undefined) return false;
  return (await openTable(file))?.labelsAreIds === false;
}

async function nemoReader(opened: OpenedModel, o: TestFile & { numSamples: number }): Promise<Read> {
  const { classifier, config } = opened;
  const { numClasses, pairs } = classifier;
  const newLabels = config.nautil.data.relabel ? await newLabelsOf(opened, o.cwd) : undefined;
  const idOf = (label: number): number | undefined =>
    newLabels ? newLabels.get(label) : label >= 0 && label < numClasses ? label : undefined;
  const range = newLabels || o.skipsUnknown ? {} : { numClasses, isTrained: true };
  const note = newLabels ? undefined : idsNote(o.file, classifier.labels);
  if (note !== undefined) printMessage(`note: ${note}`);
  let print = printMessage;
  return async function* () {
    const skipped = new SkippedLines(o.file, print);
    const lines = readExamples(o.file, { numSamples: o.numSamples, pairs, ...range });
    let unknown = 0;
    try {
      for await (const example of examplesOf(lines, (line) => skipped.add(line))) {
        const place = `${o.file}:${example.line}`;
        const label = idOf(example.label);
        if (label !== undefined) yield { ...example, label, place };
        else if (o.skipsUnknown) unknown++;
        else throw unknownLabel(place, example.label);
      }
    } finally {
      skipped.end();
      if (unknown > 0) print(`note: ${counted(unknown, 'line')} skipped with labels that the model does not know`);
      print = () => undefined; // the same lines are skipped each time
    }
  };
}

async function countOf(read: Read): Promise<number> {
  const rows = read()[Symbol.asyncIterator]();
  let count = 0;
  while ((await rows.next()).done !== true) count++;
  return count;
}

const sampled = (read: Read, total: number, { model, nautil }: Config): Read =>
  async function* () {
    const isTaken = sampling('test', total, {
      seed: nautil.seed,
      validationFraction: 0,
      samples: { test: model.test_ds.num_samples },
    });
    for await (const example of read()) if (isTaken()) yield example;
  };

const firstOf = (read: Read, count: number): Read =>
  async function* () {
    let left = count > 0 ? count : Infinity;
    for await (const example of read()) {
      if (left-- <= 0) return;
      yield example;
    }
  };
