/** Times training steps on batches of one shape as `trainClassifier` takes them: from the end of one step to that of the next. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { JsonObject } from '@nautil/contracts';
import { printSideOutput } from '../side-output.js';
import { type ProcessGroup, withGroup } from './start-group.js';
import { type TimedTraining, timeTraining, withTemporaryFolder } from './timed-training.js';
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

    /** Devices that train together, each with `rows` of a batch. */
    devices: { type: 'string', default: '1' },

    /** Processes that train together, each with as many devices. */
    processes: { type: 'string', default: '1' },
    ...{ members: { type: 'string' }, index: { type: 'string' } },

    /** Further overrides of the configuration. */
    set: { type: 'string', multiple: true, default: [] },
  },
});
const [rows, length, warmUp] = [Number(o.rows), Number(o.length), Number(o['warm-up'])];
const steps = warmUp + Number(o.steps);
const [devices, processes] = [Number(o.devices), Number(o.processes)];

const train = async (folder: string, group?: ProcessGroup): Promise<TimedTraining> => {
  const trainCache = join(folder, 'steps.tokens');
  await writeTokens(trainCache, syntheticExamples(rows * devices * processes * steps, length), length);
  return timeTraining({
    folder,
    ...(group === undefined ? {} : { group }),
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
      ...(devices === 1 ? [] : [`trainer.devices=${devices}`]),
      ...o.set,
    ],
  });
};
const { stepsEndedAt, cpuAtSteps, peakMb } = await withGroup(processes, (group) =>
  withTemporaryFolder((folder) => train(folder, group)),
);
/** From each step to the next, without the first ones. */
function differences(values: readonly number[]): number[] {
  return values.slice(warmUp).map((value, at) => value - (values[warmUp + at - 1] ?? NaN));
}

printSideOutput({
  figures: {
    step: differences(stepsEndedAt),
    cpu: differences(cpuAtSteps),
    peak: [peakMb],
  },
});

// TensorFlow's server cannot be stopped. Another process may still receive the last sum.
if (processes > 1) setTimeout(() => process.exit(0), 500);
