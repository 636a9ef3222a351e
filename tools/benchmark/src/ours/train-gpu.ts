/** Times the training of BERT-base with random weights on a GPU, in bfloat16, after the first steps. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { JsonObject } from '@nautil/contracts';
import { bertBaseConfig } from '../paths.js';
import { median } from '../row.js';
import { printSideOutput } from '../side-output.js';
import { timeTraining, withTemporaryFolder } from './timed-training.js';
import { readGlue, syntheticExamples, writeTokens } from './token-files.js';
import { writePhrases } from './write-phrases.js';

const { values: o } = parseArgs({
  options: {
    /** A file in GLUE's format, which `writePhrases` writes if it is missing. */
    data: { type: 'string', default: '' },

    /** Instead of the file's texts, texts of this number of tokens. */
    length: { type: 'string' },
    rows: { type: 'string', default: '32' },
    steps: { type: 'string', default: '250' },
    'warm-up': { type: 'string', default: '50' },

    /** Further overrides of the configuration. */
    set: { type: 'string', multiple: true, default: [] },
  },
});
const [rows, warmUp] = [Number(o.rows), Number(o['warm-up'])];
const steps = warmUp + Number(o.steps);
const maxLength = 128;

const { startedAt, stepsEndedAt } = await withTemporaryFolder(async (folder) => {
  const trainCache = join(folder, 'train.tokens');
  if (o.length === undefined && !existsSync(o.data)) await writePhrases(o.data);
  const examples = o.length === undefined ? await readGlue(o.data) : syntheticExamples(rows * steps, Number(o.length));
  await writeTokens(trainCache, examples, maxLength);
  return timeTraining({
    folder,
    trainCache,
    encoder: { config: JSON.parse(await readFile(bertBaseConfig, 'utf8')) as JsonObject },
    overrides: [
      'trainer.accelerator=gpu',
      'trainer.max_epochs=1',
      'trainer.precision=bf16',
      `trainer.limit_train_batches=${steps}`,
      `model.train_ds.batch_size=${rows}`,
      `model.dataset.max_seq_length=${maxLength}`,
      'nautil.checkpoint_every_n_steps=0',
      ...o.set,
    ],
  });
});
const times = stepsEndedAt.slice(warmUp).map((end, at) => end - (stepsEndedAt[warmUp + at - 1] ?? NaN));
const meanTime = times.reduce((sum, time) => sum + time, 0) / times.length;
printSideOutput({
  figures: {
    rate: [(1000 * rows) / meanTime],
    step: [meanTime],
    median: [median(times)],
    first: [(stepsEndedAt[0] ?? NaN) - startedAt],
  },
});
