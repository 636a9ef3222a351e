import { copyFile, cp, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { OutputRoots } from '@nautil/activities';
import { dependenciesOfOneWorker } from '@nautil/activities/testing/dependencies-of-one-worker';
import { createActivities } from '@nautil/activities/worker';
import type { RunActivities } from '@nautil/contracts';
import { programEnvironment } from './program-environment.js';

export interface PackagedRun {
  /** Of the archive. */
  path: string;
  sha256: string;

  /** Path of the trained weights that the archive contains, a safetensors file under NeMo's names. */
  weights: string;

  /** Path of the predictions for `model.infer_samples`, as JSON. */
  answers: string | undefined;

  /** State folder of the run, which also has the copies of its inputs. The caller removes it. */
  home: string;
  workflowId: string;
}

const logger = new DefaultLogger('WARN');

let runs = 0;

/**
 * Runs all stages of a short run in its own state folder, as a worker does, without a server.
 *
 * @param o.encoder - folder of a Hugging Face model
 * @param o.data - the TSV file on which the run trains, validates and tests
 * @param o.pairs - whether each of its lines has two texts, as a conversion of a table with a second text column states
 */
export async function runStages(o: {
  encoder: string;
  data: string;
  pairs?: boolean;
  overrides: string[];
}): Promise<PackagedRun> {
  const home = await mkdtemp(join(tmpdir(), 'nautil-stages-'));
  Object.assign(process.env, programEnvironment(home));
  runs += 1;
  const workflowId = `run-${runs}`;
  const runKey = `key-${runs}`;
  const activities = createActivities(dependenciesOfOneWorker({ outputs: OutputRoots.ofWorker() }));
  const call = <Name extends keyof RunActivities>(name: Name, input: Parameters<RunActivities[Name]>[0]) =>
    new MockActivityEnvironment(undefined, { logger }).run(
      activities[name] as (of: Parameters<RunActivities[Name]>[0]) => ReturnType<RunActivities[Name]>,
      input,
    ) as ReturnType<RunActivities[Name]>;
  // Each run has its inputs in its own folder, because the archive must not depend on their paths.
  const data = join(home, 'train.tsv');
  await copyFile(o.data, data);
  const encoder = join(home, basename(o.encoder));
  await cp(o.encoder, encoder, { recursive: true });
  const run = await call('resolveRun', {
    workflowId,
    runKey,
    taskQueue: 'nautil',
    overrides: [
      `model.language_model.pretrained_model_name=${encoder}`,
      ...['train_ds', 'validation_ds', 'test_ds'].map((set) => `model.${set}.file_path=${data}`),
      `model.nemo_path=${join(home, 'model.nemo')}`,
      `exp_manager.exp_dir=${join(home, 'nemo_experiments')}`,
      'trainer.max_epochs=1',
      'trainer.limit_train_batches=2',
      'trainer.limit_val_batches=1',
      'trainer.limit_test_batches=1',
      ...o.overrides,
    ],
  });
  const source = await call('download', { run });
  const converted = { ...(await call('convert', { run, source })), ...(o.pairs === true ? { pairs: true } : {}) };
  const inputs = await call('cache', { run, source, data: converted });
  const tokens = await call('tokenize', { run, inputs });
  const model = await call('train', { run, inputs, tokens, stopEarly: false });
  const evaluated = await call('evaluate', { run, inputs, tokens, model });
  const { nemo } = await call('package', { run, inputs, tokens, evaluated });
  return { ...nemo, weights: evaluated.weights.path, answers: evaluated.answers?.path, home, workflowId };
}
