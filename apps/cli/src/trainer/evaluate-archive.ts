import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { requireBatch } from '@nautil/activities';
import { counted, UsageError } from '@nautil/contracts';
import { classWeights, examplesOf, labelCounts, readExamples, relabelledExamples } from '@nautil/datasets';
import { formatReport, macroNote } from '@nautil/metrics';
import { buildTokenCache } from '@nautil/tokenization';
import { type Evaluation, evaluationKeys } from '@nautil/training';
import { printMessage, printResult } from '../output.js';
import { SkippedLines } from '../skipped-lines.js';
import type { HydraArguments } from './hydra-arguments.js';
import { type OpenedModel, openModel } from './open-model.js';

/** Prints loss, accuracy and the report of an archive (`model.nemo_path`) on a labelled file (`model.test_ds.file_path`). */
export async function evaluateArchive(args: HydraArguments, o: { cwd: string }): Promise<void> {
  const { evaluation, file, archive } = await evaluationOf(args, o);
  const { loss, report } = evaluation;
  const scores = `accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}`;
  const note = macroNote(report);
  await printResult(
    [
      `${formatReport(report)}\n`,
      `test loss ${loss.toFixed(4)}, ${scores}, on ${counted(report.support, 'example')} of ${file}`,
      ...(note === undefined ? [] : [note]),
      `model     ${archive}`,
    ].join('\n'),
  );
}

/** The keys that name the examples, and decide their numbers and weights. */
const dataKeys = [
  'model.test_ds.file_path',
  'model.train_ds.file_path',
  'model.dataset.class_balancing',
  'nautil.data.relabel',
];

/** Evaluates as the evaluate stage of the archive's run did, except for the keys that the user set. */
export async function evaluationOf(
  args: HydraArguments,
  o: { cwd: string },
): Promise<{ evaluation: Evaluation; file: string; archive: string }> {
  const opened = await openModel(args, {
    cwd: o.cwd,
    batchSize: ({ model }) => model.test_ds.batch_size,
    follows: [...evaluationKeys, ...dataKeys],
  });
  const { classifier, config, path: archive } = opened;
  const folder = await mkdtemp(join(tmpdir(), 'nautil-evaluate-'));
  try {
    const { model, trainer, nautil } = config;
    const { file_path, num_samples: numSamples } = model.test_ds;
    if (file_path === null)
      throw new UsageError('model.test_ds.file_path is null: there is nothing to evaluate on', {
        hint: 'add model.test_ds.file_path=test.tsv',
      });
    const file = resolve(o.cwd, file_path);
    const { numClasses, pairs } = classifier;
    const newLabels = nautil.data.relabel ? await newLabelsOf(opened, o.cwd) : undefined;
    const lines = readExamples(file, { numSamples, pairs, ...(newLabels ? {} : { numClasses, isTrained: true }) });
    const skipped = new SkippedLines(file, printMessage);
    const examples = examplesOf(lines, (line) => {
      skipped.add(line);
    });
    const cache = join(folder, 'test.tokens');
    const { examples: rows } = await buildTokenCache({
      examples: newLabels ? relabelledExamples(examples, newLabels, file) : examples,
      out: cache,
      pairs,
      tokenizer: classifier.tokenizer,
      maxLength: classifier.maxTokens,
      key: 'evaluate',
    }).finally(() => {
      skipped.end();
    });
    requireBatch('test', config, rows);
    const evaluation = await classifier.evaluate({
      cache,
      dataset: model.test_ds,
      limit: trainer.limit_test_batches,
      nautil,
      classWeights: await classWeightsOf(opened, { newLabels, cwd: o.cwd }),
    });
    return { evaluation, file, archive };
  } finally {
    await rm(folder, { recursive: true, force: true });
    classifier.close();
  }
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

/** The loss weights of the archive's run, unless the user set `class_balancing`: then those of the named training file. */
async function classWeightsOf(
  { classifier, config, classWeights: recorded, isGiven }: OpenedModel,
  o: { newLabels: ReadonlyMap<number, number> | undefined; cwd: string },
): Promise<number[] | undefined> {
  const { dataset, train_ds } = config.model;
  if (!isGiven('model.dataset.class_balancing')) return recorded;
  if (dataset.class_balancing !== 'weighted_loss') return undefined;
  if (train_ds.file_path === null) return recorded;
  const { counts } = await labelCounts(resolve(o.cwd, train_ds.file_path), { pairs: classifier.pairs });
  const renumbered = new Map([...counts].map(([label, count]) => [o.newLabels?.get(label) ?? label, count]));
  return classWeights(renumbered, classifier.numClasses);
}
