import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { CheckpointSaved, TrainEvent, TrainingResult } from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import { classifierWeights, Forward, ModelWeights } from '@nautil/model';
import { OutOfMemory } from '@nautil/tensorflow';
import { type Batch, openTokenCache } from '@nautil/tokenization';
import { batchesOf } from './batches.js';
import { openInitialClassifier } from './encoder-source.js';
import { BatchTooLarge, TrainingInterrupted } from './errors.js';
import { evaluate } from './evaluate.js';
import type { TrainJob } from './job.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainClassifier } from './train.js';
import type { TrainControl } from './train-control.js';

// Fault points simulate running out of memory; really filling the memory would end other programs on this machine.

let tiny: TinyRun;
let faults: string;
beforeAll(async () => {
  tiny = await openTinyRun();
  faults = join(tiny.folder, 'faults');
  process.env['NAUTIL_FAULTS'] = faults;
});
afterAll(async () => {
  delete process.env['NAUTIL_FAULTS'];
  await tiny.remove();
});

const arm = (...lines: string[]): Promise<void> => writeFile(faults, lines.join('\n'));

interface Trained {
  done?: TrainingResult;
  events: TrainEvent[];
  checkpoints: CheckpointSaved[];
}

async function train(job: TrainJob, interruptAt?: number): Promise<Trained> {
  const events: TrainEvent[] = [];
  const checkpoints: CheckpointSaved[] = [];
  const control: TrainControl = {};
  const onCommitted = (checkpoint: CheckpointSaved): void => void checkpoints.push(checkpoint);
  const onProgress = (event: TrainEvent): void => {
    events.push(event);
    if (event.type === 'step' && event.step === interruptAt) control.stop = 'interrupt';
  };
  try {
    return { done: await trainClassifier(job, { onProgress, onCommitted }, control), events, checkpoints };
  } catch (error) {
    if (!(error instanceof TrainingInterrupted)) throw error;
    return { events, checkpoints };
  }
}

const lossesOf = (events: TrainEvent[]): Map<number, number> =>
  new Map(events.flatMap((event) => (event.type === 'step' ? [[event.step, event.loss]] : [])));

/** The number of micro-batches per batch in the newest checkpoint. */
async function splitIn(checkpoints: CheckpointSaved[]): Promise<number> {
  const source = await openTensors(checkpoints.at(-1)!.path);
  const { split } = JSON.parse(source.metadata['progress']!) as { split: number };
  await source.close();
  return split;
}

test('after a batch that does not fit, training resumes with half batches and a warning, and runs the same steps', async () => {
  const whole = await train(await tiny.job('whole'));
  await arm('out-of-memory train step 5');
  const halved = await train(await tiny.job('halved'));
  expect(halved.events).toContainEqual({
    type: 'warning',
    message: expect.stringMatching(
      /^a batch of 8 × \d+ tokens does not fit into memory: training continues with 2 micro-batches/,
    ),
  });
  expect(halved.done).toMatchObject({ step: whole.done!.step, reason: 'completed' });
  expect(await splitIn(halved.checkpoints)).toBe(2);
  const expected = lossesOf(whole.events);
  for (const [step, loss] of lossesOf(halved.events)) expect(loss).toBeCloseTo(expected.get(step)!, 4);
});

test('the number of micro-batches is stored in the checkpoint, so a resumed run ends with the same bytes', async () => {
  const weightsOf = async (name: string, interruptAt?: number): Promise<Buffer> => {
    await arm('out-of-memory train step 2');
    const job = await tiny.job(name);
    let ended = await train(job, interruptAt);
    if (!ended.done) ended = await train(job);
    expect(ended.events.filter(({ type }) => type === 'warning')).toHaveLength(interruptAt === undefined ? 1 : 0);
    expect(await splitIn(ended.checkpoints)).toBe(2);
    return readFile(ended.done!.lastWeights);
  };
  expect(await weightsOf('resumed', 7)).toEqual(await weightsOf('unbroken'));
});

test('a batch of which not one row fits ends the run with a hint', async () => {
  await arm(...Array.from({ length: 9 }, () => 'out-of-memory train step 1'));
  const failure = await train(await tiny.job('too-large')).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BatchTooLarge);
  expect(failure).toMatchObject({ retryable: false, hint: expect.stringContaining('max_seq_length') });
});

test('an evaluation whose batches do not fit is computed in parts, with the same report', async () => {
  const job = await tiny.job('evaluated');
  const head = { numClasses: job.numClasses, numOutputLayers: job.config.model.classifier_head.num_output_layers };
  const initial = await openInitialClassifier(job.encoder, head, 1);
  const { encoder } = initial;
  const weights = new ModelWeights({ specs: classifierWeights({ encoder, ...head }) });
  const forward = new Forward(weights, { encoder, head });
  const cache = openTokenCache(job.trainCache);
  try {
    await weights.load(initial.read, initial.file);
    const { model, trainer, nautil } = job.config;
    const batches = batchesOf(cache, {
      dataset: { ...model.validation_ds, batch_size: 7 },
      limit: trainer.limit_val_batches,
      nautil,
      maxPositions: 32,
    });
    const whole = await evaluate(forward, batches, job);
    const small = await evaluate(
      {
        run: async (batch: Batch) => {
          if (batch.size > 2) throw new OutOfMemory('no memory', { code: 'RESOURCE_EXHAUSTED' });
          return forward.run(batch);
        },
      },
      batches,
      job,
    );
    expect(small.report).toEqual(whole.report);
    expect(small.loss).toBeCloseTo(whole.loss, 5);
  } finally {
    weights.close();
    cache.close();
    await initial.close();
  }
});
