import { createHash } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CheckpointSaved, TrainEvent, TrainingResult } from '@nautil/contracts';
import { openTensors } from '@nautil/formats';
import { claimFence, Fenced } from '@nautil/store';
import {
  BestWeightsDamaged,
  CheckpointMismatch,
  LossNotFinite,
  TrainingInterrupted,
  WeightsNotFinite,
} from './errors.js';
import type { TrainJob } from './job.js';
import { openCheckpoint } from './open-checkpoint.js';
import { openTinyRun, type TinyRun } from './testing/tiny-run.js';
import { trainClassifier } from './train.js';
import type { TrainControl } from './train-control.js';

let tiny: TinyRun;
beforeAll(async () => (tiny = await openTinyRun()));
afterAll(() => tiny.remove());

interface Trained {
  done: TrainingResult;
  events: TrainEvent[];
  checkpoints: CheckpointSaved[];
}

/** Trains to the end, and interrupts and resumes the run after each of the steps `interruptAt`. */
async function train(job: TrainJob, interruptAt: number[] = []): Promise<Trained> {
  const events: TrainEvent[] = [];
  const checkpoints: CheckpointSaved[] = [];
  const waiting = [...interruptAt];
  for (;;) {
    const control: TrainControl = {};
    try {
      const done = await trainClassifier(
        job,
        {
          onProgress: (event) => {
            events.push(event);
            if (event.type === 'step' && event.step === waiting[0]) {
              waiting.shift();
              control.stop = 'interrupt';
            }
          },
          onCommitted: (checkpoint) => void checkpoints.push(checkpoint),
        },
        control,
      );
      return { done, events, checkpoints };
    } catch (error) {
      if (!(error instanceof TrainingInterrupted)) throw error;
    }
  }
}

const bytesOf = (path: string): Promise<Buffer> => readFile(path);
const lossesOf = (events: TrainEvent[]): number[] =>
  events.flatMap((event) => (event.type === 'step' ? [event.loss] : []));

describe('a run', () => {
  let whole: Trained;
  beforeAll(async () => (whole = await train(await tiny.job('whole'))));

  test('runs the configured steps and evaluations, and ends as completed', () => {
    expect(whole.done).toMatchObject({ step: 10, epoch: 1, reason: 'completed' });
    expect(lossesOf(whole.events)).toHaveLength(10);
    expect(whole.events.filter((event) => event.type === 'eval').map((event) => event.step)).toEqual([5, 10]);
  });

  test('has a lower loss in its second epoch than in its first, on the same examples', () => {
    const losses = lossesOf(whole.events);
    const mean = (epoch: number): number =>
      losses.slice(5 * epoch, 5 * (epoch + 1)).reduce((sum, loss) => sum + loss, 0) / 5;
    expect(mean(1)).toBeLessThan(mean(0));
  });

  test('that was interrupted after any step ends with the same bytes', async () => {
    for (const [name, steps] of Object.entries({ early: [1], middle: [4, 5], often: [2, 3, 7, 9] })) {
      const parts = await train(await tiny.job(name), steps);
      expect(await bytesOf(parts.done.lastWeights)).toEqual(await bytesOf(whole.done.lastWeights));
      expect(await bytesOf(parts.done.bestWeights!)).toEqual(await bytesOf(whole.done.bestWeights!));
      expect(lossesOf(parts.events)).toEqual(lossesOf(whole.events));
    }
  }, 180_000);

  test('that is resumed on another kind of processor warns that the steps round differently', async () => {
    const job = await tiny.job('elsewhere');
    const control: TrainControl = {};
    const stopAt4 = (event: TrainEvent): void => {
      if (event.type === 'step' && event.step === 4) control.stop = 'interrupt';
    };
    await expect(trainClassifier(job, { onProgress: stopAt4 }, control)).rejects.toThrow(TrainingInterrupted);
    // oneDNN has read this variable already, so that the numbers stay the same.
    process.env['ONEDNN_MAX_CPU_ISA'] = 'AVX2';
    try {
      const { done, events } = await train(job);
      expect(events.find((event) => event.type === 'start')).toMatchObject({
        step: 4,
        arithmetic: expect.stringContaining('limited to AVX2'),
      });
      expect(events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))).toEqual([
        expect.stringMatching(/^the steps so far were computed with .+ those that follow with .+ limited to AVX2/),
      ]);
      expect(await bytesOf(done.lastWeights)).toEqual(await bytesOf(whole.done.lastWeights));
    } finally {
      delete process.env['ONEDNN_MAX_CPU_ISA'];
    }
  });

  test.each([
    ['the newest checkpoint is empty', 1, 0],
    ['the newest checkpoint is truncated', 1, 0.5],
    ['both checkpoints are truncated', 2, 0.9],
  ])(
    'resumes from the newest undamaged checkpoint with a warning, and ends with the same bytes, when %s',
    async (name, count, share) => {
      const job = await tiny.job(name);
      const control: TrainControl = {};
      const stopAt8 = (event: TrainEvent): void => {
        if (event.type === 'step' && event.step === 8) control.stop = 'interrupt';
      };
      await expect(trainClassifier(job, { onProgress: stopAt8 }, control)).rejects.toThrow(TrainingInterrupted);
      const folder = join(job.folder, 'checkpoints');
      const files = (await readdir(folder)).sort();
      expect(files).toHaveLength(2);
      for (const file of files.slice(-count)) {
        const { length } = await bytesOf(join(folder, file));
        await truncate(join(folder, file), Math.floor(length * share));
      }
      const { done, events } = await train(job);
      const start = events.find((event) => event.type === 'start');
      expect(start).toMatchObject(count === 1 ? { step: 6, resumedFrom: join(folder, files[0]!) } : { step: 0 });
      const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
      expect(warnings).toHaveLength(count);
      for (const file of files.slice(-count)) expect(warnings.join()).toContain(join(folder, file));
      expect(await bytesOf(done.lastWeights)).toEqual(await bytesOf(whole.done.lastWeights));
      expect(await bytesOf(done.bestWeights!)).toEqual(await bytesOf(whole.done.bestWeights!));
    },
  );

  test.each([
    ['the newest checkpoint', /^checkpoints\/step-00000008/, 6],
    ['its best weights', /^best-00000005/, 8],
  ])('whose disk flipped a bit in %s ends with the same bytes, with a warning', async (name, pattern, step) => {
    const job = await tiny.job(`bit in ${name}`);
    const control: TrainControl = {};
    const stopAt8 = (event: TrainEvent): void => {
      if (event.type === 'step' && event.step === 8) control.stop = 'interrupt';
    };
    // A checkpoint every 5 steps keeps the one from which best weights can be restored.
    if (step === 8) job.config.nautil.checkpoint_every_n_steps = 5;
    await expect(trainClassifier(job, { onProgress: stopAt8 }, control)).rejects.toThrow(TrainingInterrupted);
    const file = (await readdir(job.folder, { recursive: true })).find((path) => pattern.test(path))!;
    const bytes = await bytesOf(join(job.folder, file));
    bytes[bytes.length - 1000]! ^= 4;
    await writeFile(join(job.folder, file), bytes);
    const { done, events } = await train(job);
    expect(events.find((event) => event.type === 'start')).toMatchObject({ step });
    expect(events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))).toEqual([
      expect.stringContaining(join(job.folder, file)),
    ]);
    expect(await bytesOf(done.lastWeights)).toEqual(await bytesOf(whole.done.lastWeights));
    expect(await bytesOf(done.bestWeights!)).toEqual(await bytesOf(whole.done.bestWeights!));
    expect(await bytesOf(join(job.folder, `${file}.set-aside`))).toEqual(bytes);
  });

  test('whose best weights were damaged before its end fails with an error that can be retried', async () => {
    const job = await tiny.job('best weights damaged at the end');
    const damage = async ({ step }: CheckpointSaved): Promise<void> => {
      if (step === 10) {
        const best = (await readdir(job.folder))
          .filter((name) => name.startsWith('best-'))
          .sort()
          .at(-1)!;
        await truncate(join(job.folder, best), 1000);
      }
    };
    await expect(trainClassifier(job, { onCommitted: damage })).rejects.toThrow(BestWeightsDamaged);
    const { done } = await train(job);
    expect(await bytesOf(done.bestWeights!)).toEqual(await bytesOf(whole.done.bestWeights!));
  });

  test('that crashed after writing its best weights and is then stopped early keeps the previous best weights', async () => {
    const job = await tiny.job('crashed at the best');
    const crash = (event: TrainEvent): void => {
      if (event.type === 'eval' && event.step === 10) throw new Error('power cut');
    };
    await expect(trainClassifier(job, { onProgress: crash })).rejects.toThrow('power cut');
    const files = async () => (await readdir(job.folder)).filter((name) => name.startsWith('best-')).sort();
    expect(await files()).toEqual(['best-00000005.safetensors', 'best-00000010.safetensors']);
    const done = await trainClassifier(job, {}, { stop: 'early' });
    expect(done).toMatchObject({ step: 9, reason: 'stopped', best: { step: 5 } });
    expect(done.bestWeights).toBe(join(job.folder, 'best-00000005.safetensors'));
    expect(await files()).toEqual(['best-00000005.safetensors']);
  });

  test('that is already done is not trained again', async () => {
    const again = await train(await tiny.job('whole'));
    expect(lossesOf(again.events)).toEqual([]);
    expect(again.done).toEqual(whole.done);
  });

  test('commits each step and evaluation with one timestamp, however often it is interrupted', async () => {
    const { checkpoints } = await train(await tiny.job('logged'), [2, 4, 8]);
    const timestamps = new Map<string, Set<number>>();
    for (const { type, step, timestampMs } of checkpoints.flatMap(({ events }) => events)) {
      const key = `${type} ${step}`;
      timestamps.set(key, (timestamps.get(key) ?? new Set()).add(timestampMs));
    }
    expect([...timestamps.keys()].filter((key) => key.startsWith('step'))).toHaveLength(10);
    expect([...timestamps].filter(([, { size }]) => size !== 1)).toEqual([]);
  });

  test('with other digests refuses the checkpoint and names the difference', async () => {
    const other = { ...(await tiny.job('whole')), digests: { data: 'other' } };
    await expect(train(other)).rejects.toThrow(CheckpointMismatch);
    await expect(train(other)).rejects.toThrow(/data was tiny, is other/);
  });
});

test('a run that is stopped early finishes with its current weights, and is not continued later', async () => {
  const job = await tiny.job('stopped');
  const control: TrainControl = {};
  const done = await trainClassifier(
    job,
    {
      onProgress: (event) => {
        if (event.type === 'step' && event.step === 2) control.stop = 'early';
      },
    },
    control,
  );
  expect(done).toMatchObject({ step: 2, reason: 'stopped' });
  expect((await train(job)).done).toMatchObject({ step: 2, reason: 'stopped' });
});

test('accumulated batches make fewer, larger steps', async () => {
  const { done, events } = await train(await tiny.job('accumulated', ['trainer.accumulate_grad_batches=2']));
  expect(done.step).toBe(6); // 5 batches an epoch: 2 + 2 + 1
  expect(events.filter((event) => event.type === 'eval').map((event) => event.step)).toEqual([3, 6]);
});

test('a loss that is not finite stops the run, and the error names the step and the lines of the batch', async () => {
  const job = await tiny.job('diverges', ['model.optim.lr=1e30', 'model.optim.sched=null', 'trainer.max_epochs=4']);
  const failure = await train(job).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(LossNotFinite);
  expect((failure as LossNotFinite).message).toMatch(/the loss is \S+ at step \d+/);
  expect((failure as LossNotFinite).hint).toMatch(/lines of the training file in that batch: \d+/);
  expect((failure as LossNotFinite).hint).toContain('set model.optim.lr to 2e-5 (it is 1e+30)');
});

test('the lines of a large batch are counted, and only the first ten are shown', () => {
  const lines = Array.from({ length: 64 }, (_, i) => i + 1);
  const { hint } = new LossNotFinite({ step: 1, loss: NaN, lines, lr: 2e-5, checkpoint: undefined });
  expect(hint).toContain('in that batch: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 54 more (64 lines)\n');
  expect(hint).toContain('set model.optim.lr to 2e-6 (it is 0.00002)');
});

test('a weight that overflows is never written to a checkpoint, and the error names the last good one', async () => {
  const job = await tiny.job('overflows', ['nautil.checkpoint_every_n_steps=1', 'model.optim.sched=null']);
  const control: TrainControl = {};
  const first = trainClassifier(
    job,
    {
      onProgress: (event) => {
        if (event.type === 'step') control.stop = 'interrupt';
      },
    },
    control,
  );
  await expect(first).rejects.toThrow(TrainingInterrupted);
  Object.assign(job.config.model.optim, { lr: 1e38, weight_decay: 1e38 });
  const failure = await train(job).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(WeightsNotFinite);
  expect((failure as WeightsNotFinite).message).toMatch(/ is not finite after step 2$/);
  expect((failure as WeightsNotFinite).hint).toMatch(/last good checkpoint: .*step-00000001/);
});

describe('a checkpoint', () => {
  test('is announced only after its bytes are on disk, even though later steps have begun; the next one waits for it', async () => {
    const job = await tiny.job('background');
    const seen: string[] = [];
    let onStep5: () => void;
    const step5 = new Promise<void>((resolve) => (onStep5 = resolve));
    await trainClassifier(job, {
      onProgress: ({ type, ...event }) => {
        if (type === 'step' || type === 'eval') seen.push(`${type} ${'step' in event ? event.step : ''}`);
        if (seen.at(-1) === 'step 5') onStep5();
      },
      async onCommitted({ path, step }) {
        const { source, hasDigest } = await openCheckpoint(path); // compares the content with the digest
        await source.close();
        expect(hasDigest).toBe(true);
        if (step === 3) {
          await step5; // never comes if training waits for this
          await sleep(100);
          // The evaluation of step 5 waits, because its weights would be a second copy.
          expect(seen.at(-1)).toBe('step 5');
        }
        seen.push(`committed ${step}`);
      },
    });
    const committed = seen.flatMap((name, at) => (name.startsWith('committed') ? [[name, seen[at - 1]]] : []));
    expect(committed[0]).toEqual(['committed 3', 'step 5']);
    expect(committed.map(([name]) => name)).toEqual([
      'committed 3',
      'committed 5',
      'committed 6',
      'committed 9',
      'committed 10',
    ]);
  });

  test('has the events up to its step, each in one checkpoint', async () => {
    const { checkpoints } = await train(await tiny.job('events'));
    const steps = checkpoints.map(({ events }) => events.map(({ type, step }) => `${type} ${step}`));
    expect(steps).toEqual([
      ['step 1', 'step 2', 'step 3'],
      ['step 4', 'step 5', 'eval 5'],
      ['step 6'],
      ['step 7', 'step 8', 'step 9'],
      ['step 10', 'eval 10'],
    ]);
  });

  test('holds the weights of its step, although later steps have changed them while it was written', async () => {
    const every = ['nautil.checkpoint_every_n_steps=4', 'trainer.limit_val_batches=0'];
    const resumed = await train(await tiny.job('snapshot resumed', every), [4]);
    const digests = new Map<number, string>();
    const job = await tiny.job('snapshot', every);
    await trainClassifier(job, {
      onCommitted: async ({ path, step }) => void digests.set(step, await tensorDigest(path)),
    });
    for (const { step, path } of resumed.checkpoints.slice(-2))
      expect(await tensorDigest(path)).toBe(digests.get(step));
  });

  test('that cannot be written ends the run with its own error, and the one before it is the newest', async () => {
    const job = await tiny.job('unwritable');
    const folder = join(job.folder, 'checkpoints');
    const steps: number[] = [];
    const failure = await trainClassifier(job, {
      onProgress: (event) => {
        if (event.type === 'step') steps.push(event.step);
      },
      // A folder of the name of the next checkpoint: the file cannot be renamed to it.
      onCommitted: async ({ step }) => {
        if (step === 5) await mkdir(join(folder, 'step-00000006.safetensors'));
      },
    }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'EISDIR' });
    expect(steps.at(-1)).toBeLessThanOrEqual(9);
    expect((await readdir(folder)).sort()).toEqual([3, 5, 6].map((step) => `step-0000000${step}.safetensors`));
  });
});

/** Digest of the tensors of a file of tensors. */
async function tensorDigest(path: string): Promise<string> {
  const source = await openTensors(path);
  const hash = createHash('sha256');
  for (const name of source.names().sort()) hash.update(name).update(await source.read(name));
  await source.close();
  return hash.digest('hex');
}

test('early stopping ends a run whose validation loss does not improve', async () => {
  const { done } = await train(
    await tiny.job('plateau', [
      'trainer.max_epochs=9',
      'model.optim.lr=0.0',
      'model.optim.sched=null',
      'exp_manager.create_early_stopping_callback=true',
      'exp_manager.early_stopping_callback_params.patience=2',
    ]),
  );
  expect(done).toMatchObject({ reason: 'early-stopped', epoch: 2 });
});

test('checkpoints are rotated, and the newest holds weights and the optimizer’s state', async () => {
  const job = await tiny.job('rotated');
  const { checkpoints } = await train(job);
  const paths = checkpoints.map(({ path }) => path);
  expect(paths.length).toBeGreaterThan(2);
  const left = await Promise.all(
    [...new Set(paths)].map((path) =>
      bytesOf(path).then(
        () => path,
        () => undefined,
      ),
    ),
  );
  expect(left.filter((path) => path !== undefined)).toEqual([...new Set(paths)].slice(-2));
  const newest = await openTensors(paths.at(-1)!);
  expect(newest.names().some((name) => name.startsWith('optimizer/exp_avg/bert_model.'))).toBe(true);
  await newest.close();
});

test('an attempt whose fence was taken over writes no checkpoint and no weights', async () => {
  const job = await tiny.job('followed');
  const contents = async (): Promise<string[]> =>
    (await readdir(job.folder, { recursive: true })).filter((name) => name.endsWith('.safetensors')).sort();
  let before: string[] | undefined;
  const takeOverAfterStep3 = async (): Promise<void> => {
    await claimFence(job.folder);
    before = await contents();
  };
  await expect(trainClassifier(job, { onCommitted: takeOverAfterStep3 })).rejects.toThrow(Fenced);
  expect(before).toEqual([join('checkpoints', 'step-00000003.safetensors')]);
  expect(await contents()).toEqual(before);
});

test('sgd without momentum has no optimizer state, and can be checkpointed and resumed', async () => {
  const options = ['model.optim.name=sgd', 'model.optim.lr=0.1'];
  const { done } = await train(await tiny.job('sgd', options));
  const resumed = await train(await tiny.job('sgd resumed', options), [4]);
  expect(await bytesOf(resumed.done.lastWeights)).toEqual(await bytesOf(done.lastWeights));
});

describe('a run that continues an earlier run’s checkpoint', () => {
  // A monitor that no later evaluation improves: the first evaluation stays the best.
  const never = 'exp_manager.checkpoint_callback_params.mode=max';

  test('ends with the earlier run’s best weights, in its own folder, when nothing beats them', async () => {
    const job = await tiny.job('unbeaten before', ['trainer.max_epochs=2', never]);
    const folder = join(tiny.folder, 'unbeaten kept', 'checkpoints');
    await mkdir(folder, { recursive: true });
    const before = await trainClassifier(job, {
      async onCommitted({ path, step, events }) {
        if (!events.some((event) => event.type === 'eval')) return;
        await link(path, join(folder, step === 5 ? 'a-epoch=0.ckpt' : 'a-last.ckpt'));
      },
    });
    expect(before.best).toMatchObject({ step: 5 });
    const best = await bytesOf(before.bestWeights!);
    await rm(job.folder, { recursive: true });

    const resumeFrom = join(folder, 'a-last.ckpt');
    const next = { ...(await tiny.job('unbeaten', ['trainer.max_epochs=3', never])), resumeFrom, digests: job.digests };
    const { done } = await train(next, [12]);
    expect(done).toMatchObject({ step: 15, best: before.best });
    expect(done.bestWeights).toBe(join(next.folder, 'best-00000005.safetensors'));
    expect(await bytesOf(done.bestWeights!)).toEqual(best);
  }, 180_000);

  test.each([
    ['are gone', never, /at step 5\) is not considered: its weights no longer exist/],
    [
      'were ranked by another monitor',
      'exp_manager.checkpoint_callback_params.monitor=val_f1',
      /ranks evaluations by val_f1/,
    ],
  ])(
    'chooses the best of the later evaluations, with a warning, when the earlier ones %s',
    async (why, override, warning) => {
      const job = await tiny.job(`${why} before`, ['trainer.max_epochs=2', never]);
      const folder = join(tiny.folder, `${why} kept`);
      await mkdir(folder);
      const resumeFrom = join(folder, 'a-last.ckpt');
      await trainClassifier(job, {
        onCommitted: ({ path, step }) => (step === 10 ? link(path, resumeFrom) : undefined),
      });
      const next = {
        ...(await tiny.job(why, ['trainer.max_epochs=3', override])),
        resumeFrom,
        digests: job.digests,
      };
      const { done, events } = await train(next);
      expect(events.flatMap((event) => (event.type === 'warning' ? [event.message] : []))).toContainEqual(
        expect.stringMatching(warning),
      );
      expect(done.best).toMatchObject({ step: 15 });
      expect(await readdir(next.folder)).toContain('best-00000015.safetensors');
    },
    180_000,
  );
});
