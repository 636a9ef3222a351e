/** Times an epoch of MiniLM-L6 on SST-2 from its first step to its last, and evaluates the weights on the test sentences. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { JsonObject } from '@nautil/contracts';
import { evaluateWeights } from '@nautil/training';
import { miniLm } from '../paths.js';
import { printSideOutput } from '../side-output.js';
import { timeTraining, withTemporaryFolder } from './timed-training.js';
import { readSst2, writeTokens } from './token-files.js';

const { values: o } = parseArgs({
  options: {
    precision: { type: 'string', default: 'float32' },
    threads: { type: 'string', default: '0' },
    batches: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
  },
});

const output = await withTemporaryFolder(async (folder) => {
  const trainCache = join(folder, 'train.tokens');
  const testCache = join(folder, 'test.tokens');
  await writeTokens(trainCache, await readSst2('train'));
  await writeTokens(testCache, await readSst2('test'));
  const { startedAt, stepsEndedAt, peakMb, job, lastWeights } = await timeTraining({
    folder,
    trainCache,
    encoder: { path: miniLm },
    overrides: [
      'trainer.max_epochs=1',
      `trainer.precision=${o.precision === 'bfloat16' ? 'bf16' : '32'}`,
      'model.train_ds.batch_size=32',
      ...(o.batches === '' ? [] : [`trainer.limit_train_batches=${o.batches}`]),
      `nautil.intra_op_threads=${o.threads}`,
      `nautil.seed=${o.seed}`,
    ],
  });
  const { evaluation } = await evaluateWeights({
    job,
    weights: lastWeights,
    encoderConfig: JSON.parse(await readFile(join(miniLm, 'config.json'), 'utf8')) as JsonObject,
    on: { cache: testCache, dataset: job.config.model.test_ds, limit: job.config.trainer.limit_test_batches },
    questions: { rows: [], padId: 0 },
  });
  return {
    epoch: [((stepsEndedAt.at(-1) ?? NaN) - startedAt) / 1000],
    peak: [peakMb],
    accuracy: [evaluation?.report.accuracy ?? NaN],
  };
});
printSideOutput({ figures: output });
