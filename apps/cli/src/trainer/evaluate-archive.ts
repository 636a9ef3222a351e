import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { requireBatch } from '@nautil/activities';
import type { Config } from '@nautil/config';
import { counted, UsageError } from '@nautil/contracts';
import { classWeights } from '@nautil/datasets';
import { formatReport, macroNote } from '@nautil/metrics';
import { requireOutput } from '@nautil/store';
import { buildTokenCache } from '@nautil/tokenization';
import { type Evaluation, evaluationKeys } from '@nautil/training';
import { exampleList, type JudgedExample } from '../example-list.js';
import { printResult } from '../output.js';
import type { HydraArguments } from './hydra-arguments.js';
import { Misclassified } from './misclassified.js';
import { type OpenedModel, openModel } from './open-model.js';
import { openTestExamples, trainingCounts } from './test-examples.js';

/**
 * Prints loss, accuracy and the report of an archive (`model.nemo_path`) on a labelled file (`model.test_ds.file_path`).
 *
 * @param o.errors - path of the list of misclassified examples
 * @param o.force - replaces a list that exists
 */
export async function evaluateArchive(
  args: HydraArguments,
  o: { cwd: string; errors?: string; force?: true; skipUnknownLabels?: true },
): Promise<void> {
  const path = o.errors === undefined ? undefined : resolve(o.cwd, o.errors);
  const list = path === undefined ? undefined : exampleList(path, { other: 'predicted_label' });
  const { evaluation, file, archive, errors } = await evaluationOf(args, {
    cwd: o.cwd,
    skipsUnknown: o.skipUnknownLabels === true,
    list: path === undefined ? undefined : { path, name: o.errors ?? path, force: o.force === true },
  });
  const { loss, report } = evaluation;
  const scores = `accuracy ${report.accuracy.toFixed(4)}, macro F1 ${report.macro.f1.toFixed(4)}`;
  const note = macroNote(report);
  if (list && errors) await list.write(errors);
  await printResult(
    [
      `${formatReport(report)}\n`,
      `test loss ${loss.toFixed(4)}, ${scores}, on ${counted(report.support, 'example')} of ${file}`,
      ...(note === undefined ? [] : [note]),
      `model     ${archive}`,
      ...(errors
        ? [
            `errors    ${o.errors}: ${counted(errors.length, 'misclassified example')}, the most confident mistake first`,
          ]
        : []),
    ].join('\n'),
  );
}

/** The keys that name the examples, and decide their numbers and weights. */
const dataKeys = [
  'model.test_ds.file_path',
  'model.train_ds.file_path',
  'model.dataset.class_balancing',
  'nautil.data.format',
  'nautil.data.text_column',
  'nautil.data.text_pair_column',
  'nautil.data.label_column',
  'nautil.data.sample',
  'nautil.data.relabel',
];

/**
 * Evaluates as the evaluate stage of the archive's run did, except for the keys that the user set.
 *
 * @param o.skipsUnknown - leaves out examples with labels that the model does not know
 * @param o.list - the file for the examples that the model misclassifies, which are returned, the most confident mistake first
 */
export async function evaluationOf(
  args: HydraArguments,
  o: { cwd: string; skipsUnknown?: boolean; list?: { path: string; name?: string; force: boolean } | undefined },
): Promise<{ evaluation: Evaluation; file: string; archive: string; errors?: JudgedExample[] }> {
  const opened = await openModel(args, {
    cwd: o.cwd,
    batchSize: ({ model }) => model.test_ds.batch_size,
    follows: [...evaluationKeys, ...dataKeys],
  });
  const { classifier, config, path: archive } = opened;
  const folder = await mkdtemp(join(tmpdir(), 'nautil-evaluate-'));
  try {
    const { model, trainer, nautil } = config;
    const { file_path } = model.test_ds;
    if (file_path === null)
      throw new UsageError('model.test_ds.file_path is null: there is nothing to evaluate on', {
        hint: 'add model.test_ds.file_path=test.tsv',
      });
    const file = resolve(o.cwd, file_path);
    if (o.list) requireOutput(o.list.path, { ...o.list, inputs: [archive, ...filesOf(config, o.cwd)] });
    const read = await openTestExamples(opened, { file, skipsUnknown: o.skipsUnknown ?? false, cwd: o.cwd });
    const cache = join(folder, 'test.tokens');
    const { examples: rows } = await buildTokenCache({
      examples: read(),
      out: cache,
      pairs: classifier.pairs,
      tokenizer: classifier.tokenizer,
      maxLength: classifier.maxTokens,
      key: 'evaluate',
    });
    requireBatch('test', config, rows);
    const errors = o.list ? new Misclassified(classifier) : undefined;
    const evaluation = await classifier.evaluate({
      cache,
      dataset: model.test_ds,
      limit: trainer.limit_test_batches,
      nautil,
      classWeights: await classWeightsOf(opened, o),
      onRow: errors && ((row, label, logits) => errors.add(row, label, logits)),
    });
    return { evaluation, file, archive, ...(errors ? { errors: await errors.examples(read()) } : {}) };
  } finally {
    await rm(folder, { recursive: true, force: true });
    classifier.close();
  }
}

/** The files of data that a configuration names. */
const filesOf = ({ model }: Config, cwd: string): string[] =>
  [model.test_ds, model.train_ds, model.validation_ds].flatMap(({ file_path }) =>
    file_path === null ? [] : [resolve(cwd, file_path)],
  );

/** The loss weights of the archive's run, unless the user set `class_balancing`: then those of the named training file. */
async function classWeightsOf(opened: OpenedModel, { cwd }: { cwd: string }): Promise<number[] | undefined> {
  const { classifier, config, classWeights: recorded, isGiven } = opened;
  const { dataset, train_ds } = config.model;
  if (!isGiven('model.dataset.class_balancing')) return recorded;
  if (dataset.class_balancing !== 'weighted_loss') return undefined;
  if (train_ds.file_path === null) return recorded;
  return classWeights(
    await trainingCounts(opened, { file: resolve(cwd, train_ds.file_path), cwd }),
    classifier.numClasses,
  );
}
