import type { Config } from '@nautil/config';
import { counted, type Example, type LabelledData } from '@nautil/contracts';
import {
  DataError,
  type LabelCounts,
  labelCounts,
  leakNotes,
  readExamples,
  readLabelNames,
  readNamesByLabel,
  requireTrainable,
  SeenTexts,
  unknownLabel,
} from '@nautil/datasets';

/** The files of a run in NeMo's format. */
export interface LabelledFiles {
  train: string;
  validation?: string | undefined;
  test?: string | undefined;
  labels?: string | undefined;
}

export interface CheckedLabels {
  numClasses: number;
  examples: LabelledData['examples'];

  /** Absent without a file of class names, unless the labels are renumbered. */
  names?: string[];

  /** The label of each class in the files; absent unless the labels are renumbered. */
  oldLabels?: number[];

  /** Whether the test file has only labels of -1 (GLUE's "unknown"), so that nothing can be tested on it. */
  testUnlabelled: boolean;

  /** Sentences on skipped lines and the like. */
  notes: string[];
}

/**
 * Reads all files of a run completely, and checks that a model can be trained and evaluated on their labels.
 *
 * @param o.relabel - `nautil.data.relabel`: the labels become 0, 1, … in ascending order of those in the training file
 * @param o.comparesTexts - a sentence states how many evaluated texts the training file has, too
 * @throws DataError with every problem that was found
 */
export async function checkLabels(
  files: LabelledFiles,
  model: Pick<Config['model'], 'dataset' | 'train_ds' | 'validation_ds' | 'test_ds' | 'class_labels'>,
  { relabel, comparesTexts = false }: { relabel: boolean; comparesTexts?: boolean },
): Promise<CheckedLabels> {
  const problems: DataError[] = [];
  const collect = async <T>(check: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await check();
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      problems.push(error);
      return undefined;
    }
  };

  const { dataset } = model;
  const seen = comparesTexts && (files.validation ?? files.test) !== undefined ? new SeenTexts() : undefined;
  const onTraining = ({ text, line, label }: Example) => {
    if (text !== '') seen?.add(text, { line, label });
  };
  const train = await collect(() => (relabel ? relabelledTraining : trainingLabels)(files.train, model, onTraining));
  const testUnlabelled =
    files.test !== undefined && train?.oldLabels?.includes(-1) !== true && (await isUnlabelled(files.test));
  const leaked = { validation: 0, test: 0 };
  const countsOf = (split: 'validation' | 'test') => {
    const path = files[split];
    const onExample = ({ text }: Example) => {
      if (seen?.find(text) !== undefined) leaked[split]++;
    };
    return path === undefined
      ? undefined
      : collect(() => evaluationLabels(path, train, { numSamples: model[`${split}_ds`].num_samples, onExample }));
  };
  const validation = await countsOf('validation');
  const test = testUnlabelled ? undefined : await countsOf('test');
  const numClasses = train?.numClasses ?? dataset.num_classes ?? undefined;
  const names = await collect(async () => {
    const reading = namesOf(files.labels, numClasses, train?.oldLabels);
    return files.labels === model.class_labels.class_labels_file ? reading.catch(withLabelsKey) : reading;
  });

  if (problems.length > 0 || train === undefined || numClasses === undefined) throw joined(problems);
  const splits = [
    [files.train, train.counts],
    [files.validation, validation],
    [files.test, test],
  ] as const;
  const { oldLabels } = train;
  return {
    numClasses,
    examples: {
      train: train.counts.examples,
      ...(validation ? { validation: validation.examples } : {}),
      ...(test ? { test: test.examples } : {}),
    },
    ...(names ? { names } : {}),
    ...(oldLabels ? { oldLabels } : {}),
    testUnlabelled,
    notes: [
      ...(testUnlabelled ? [`${files.test} has no labels (each is -1), so the model is not tested on it`] : []),
      ...splits.flatMap(([file, counts]) => (counts ? notesOn(String(file), counts) : [])),
      ...(validation ? leakNotes('validation', { ...validation, leaked: leaked.validation }) : []),
      ...(test ? leakNotes('test', { ...test, leaked: leaked.test }) : []),
      ...(oldLabels ? [renumbering(oldLabels)] : []),
    ],
  };
}

type OnExample = (example: Example) => void;

interface TrainingLabels {
  counts: LabelCounts;
  numClasses: number;
  oldLabels?: number[];
}

async function trainingLabels(
  path: string,
  { dataset, train_ds }: Pick<Config['model'], 'dataset' | 'train_ds'>,
  onExample: OnExample,
): Promise<TrainingLabels> {
  const numClasses = dataset.num_classes ?? undefined;
  const counts = await labelCounts(path, { ...options(train_ds.num_samples), onExample });
  requireTrainable(path, counts, numClasses);
  const found = { counts, numClasses: numClasses ?? counts.numClasses };
  // NeMo computes the weights of the loss from the whole file, whatever num_samples is.
  if (dataset.class_balancing === 'weighted_loss' && train_ds.num_samples > 0) {
    await labelCounts(path, options(-1, found.numClasses));
  }
  return found;
}

/** The classes come from the whole file, so that they do not depend on `num_samples`. */
async function relabelledTraining(
  path: string,
  { dataset, train_ds }: Pick<Config['model'], 'dataset' | 'train_ds'>,
  onExample: OnExample,
): Promise<TrainingLabels> {
  const isSampled = train_ds.num_samples > 0;
  const all = await labelCounts(path, isSampled ? {} : { onExample });
  const oldLabels = [...all.counts.keys()];
  const { num_classes } = dataset;
  if (num_classes !== null && num_classes !== oldLabels.length) {
    throw new DataError(`${path} has ${oldLabels.length} different labels, and num_classes is ${num_classes}`, {
      hint: `with nautil.data.relabel=true, set model.dataset.num_classes to null or to ${oldLabels.length}`,
    });
  }
  const firstLines = new Map(oldLabels.map((label, id) => [id, all.firstLines.get(label) ?? 1]));
  requireTrainable(path, { firstLines, withoutTab: new Set() });
  const counts = isSampled ? await labelCounts(path, { ...options(train_ds.num_samples), onExample }) : all;
  return { counts, numClasses: oldLabels.length, oldLabels };
}

async function evaluationLabels(
  path: string,
  train: TrainingLabels | undefined,
  { numSamples, onExample }: { numSamples: number; onExample: OnExample },
): Promise<LabelCounts> {
  if (train?.oldLabels === undefined)
    return labelCounts(path, { ...options(numSamples, train?.numClasses), onExample });
  const all = await labelCounts(path, numSamples > 0 ? {} : { onExample });
  for (const [label, line] of all.firstLines) {
    if (!train.oldLabels.includes(label)) throw unknownLabel(`${path}:${line}`, label);
  }
  return numSamples > 0 ? labelCounts(path, { ...options(numSamples), onExample }) : all;
}

/** A user finds the key in a configuration more easily than the file, which a data set may also have brought. */
function withLabelsKey(error: unknown): never {
  if (!(error instanceof DataError)) throw error;
  const { hint, message } = error;
  const key = 'model.class_labels.class_labels_file names this file';
  throw new DataError(message, { hint: hint === undefined ? key : `${hint}\n${key}`, cause: error });
}

async function namesOf(
  path: string | undefined,
  numClasses: number | undefined,
  oldLabels: readonly number[] | undefined,
): Promise<string[] | undefined> {
  if (oldLabels === undefined) return path === undefined ? undefined : readLabelNames(path, numClasses);
  if (path === undefined) return oldLabels.map(String);
  const byLabel = await readNamesByLabel(path);
  return oldLabels.map((label) => {
    const name = byLabel.get(label);
    if (name !== undefined) return name;
    throw new DataError(`${path} has no name for label ${label}, which the training file has`, {
      hint: 'write a name, a tab and a label on each line, one line for each label of the training file',
    });
  });
}

/** Whether every label is -1, which stands for "unknown" in GLUE's test files. */
async function isUnlabelled(path: string): Promise<boolean> {
  try {
    for await (const line of readExamples(path)) if ('label' in line && line.label !== -1) return false;
    return true;
  } catch (error) {
    // The check of the file reports the error.
    if (error instanceof DataError) return false;
    throw error;
  }
}

const options = (numSamples: number, numClasses?: number) => ({
  numSamples,
  ...(numClasses === undefined ? {} : { numClasses }),
});

function notesOn(file: string, { examples, linesWithoutTab, quoted, skipped, skippedLines }: LabelCounts): string[] {
  const reasons = skippedLines.map(({ line, reason }) => `line ${line}: ${reason}`).join(', ');
  const more = skipped > skippedLines.length ? ` and ${skipped - skippedLines.length} more` : '';
  return [
    ...(skipped > 0 ? [`${counted(skipped, 'line')} skipped in ${file} (${reasons}${more})`] : []),
    ...(linesWithoutTab > 0
      ? [`the last word is read as the label in ${counted(linesWithoutTab, 'line')} without a tab in ${file}`]
      : []),
    ...(quoted > 0
      ? [
          `${quoted} of ${counted(examples, 'text')} in ${file} ${quoted === 1 ? 'is' : 'are'} in quotation marks, and the marks become tokens: nautil.data.format=table leaves marks around all texts out`,
        ]
      : []),
  ];
}

/** The renumbering of the first few labels. */
function renumbering(oldLabels: readonly number[]): string {
  if (oldLabels.every((label, id) => label === id))
    return `nautil.data.relabel has no effect on the labels: they are 0 to ${oldLabels.length - 1} already`;
  const shown = oldLabels.slice(0, 10).map((label, id) => `${label} is now ${id}`);
  return `the labels were renumbered: ${[...shown, ...(oldLabels.length > 10 ? [`and ${oldLabels.length - 10} more`] : [])].join(', ')}`;
}

/** One error with the messages of all. Each message and each hint is given once: two splits may be one file. */
function joined(problems: readonly DataError[]): DataError {
  const [first] = problems;
  if (first !== undefined && problems.length === 1) return first;
  const hints = new Set(problems.map(({ hint }) => hint).filter((hint) => hint !== undefined));
  return new DataError([...new Set(problems.map(({ message }) => message))].join('\n'), {
    hint: [...hints].join('\n'),
    setting: problems.find(({ setting }) => setting !== undefined)?.setting,
  });
}
