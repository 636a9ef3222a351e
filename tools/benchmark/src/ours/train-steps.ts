/** Times training steps on batches of one shape as `trainClassifier` takes them: from the end of one step to that of the next. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { JsonObject } from '@nautil/contracts';
import { printSideOutput } from '../side-output.js';
import { timeTraining, withTemporaryFolder } from './timed-training.js';
import { syntheticExamples, writeTokens } from './token-files.js';

const { values: o } = parseArgs({
  options: {
    model: { type: 'string', default: '' },
    rows: { type: 'string', default: '32' },
    length: { type: 'string', default: '32' },
    steps: { type: 'string', default: '12' },
    'warm-up': { type: 'string', default: '3' },
    precision: { type: 'string', default: 'float32' },
    threads: { type: 'string', default: '0' },
  },
});
const [rows, length, warmUp] = [Number(o.rows), Number(o.length), Number(o['warm-up'])];
const steps = warmUp + Number(o.steps);

const { stepsEndedAt, peakMb } = await withTemporaryFolder(async (folder) => {
  const trainCache = join(folder, 'steps.tokens');
  await writeTokens(trainCache, syntheticExamples(rows * steps, length), length);
  return timeTraining({
    folder,
    trainCache,
    encoder: o.model.endsWith('.json')
      ? { config: JSON.parse(await readFile(o.model, 'utf8')) as JsonObject }
      : { path: o.model },
    overrides: [
      'trainer.max_epochs=1',
      `trainer.precision=${o.precision === 'bfloat16' ? 'bf16' : '32'}`,
      `model.train_ds.batch_size=${rows}`,
      `nautil.intra_op_threads=${o.threads}`,
      'nautil.checkpoint_every_n_steps=0',
    ],
  });
});
printSideOutput({
  figures: {
    step: stepsEndedAt.slice(warmUp).map((endedAt, at) => endedAt - (stepsEndedAt[warmUp + at - 1] ?? NaN)),
    peak: [peakMb],
  },
});
