import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Config } from '@nautil/config';
import { openTensors } from '@nautil/formats';
import { classifierWeights, Forward, ModelWeights, parseEncoderConfig } from '@nautil/model';
import { allowTensorFloat32 } from '@nautil/tensorflow';
import { goldenPath, readGoldenJson, testDevice, testIf } from '@nautil/testing';
import type { Batch } from '@nautil/tokenization';
import { rowWeights } from './cross-entropy.js';
import { scheduleOf } from './schedule.js';
import { type MicroBatch, TrainStep } from './train-step.js';

interface Variant {
  cfg: {
    opt: 'adam' | 'adamw';
    lr: number;
    wd: number;
    weighted: boolean;
    clip: number;
    layers: number;
    warmup_ratio: number;
    accumulate?: number;
    accum?: number;
  };
  loss: number[];
  lr: number[];
  grad_norm: number[];
  logits_first: number[][];
  final_logits_batch0: number[][];
}
interface RecordedBatch {
  input_ids: number[][];
  attention_mask: number[][];
  labels: number[];
}

const trajectory = readGoldenJson('trajectory.json') as {
  num_classes: number;
  class_weights: number[];
  variants: Record<string, Variant>;
};
const batches = (readGoldenJson('traj_batches.json') as RecordedBatch[]).map(asBatch);

// The pooler gets no gradient, and the key bias has a mathematically zero one, which Adam turns into noise (golden/README.md).
const tolerance = 1e-4;
const comparable = (name: string): boolean => !name.endsWith('attention.self.key.bias');

test('trajectories are recorded, and the gradients of some of them', () => {
  const names = readdirSync(goldenPath());
  expect(Object.keys(trajectory.variants).length).toBeGreaterThan(0);
  expect(names.filter((name) => name.startsWith('traj_grads_step0_')).length).toBeGreaterThan(0);
});

describe.each(Object.entries(trajectory.variants))('%s, beside NeMo', (name, variant) => {
  const { cfg } = variant;
  const steps = variant.lr.length;
  // Of the last group too, however few batches it has: Lightning divides by the setting.
  const accumulate = cfg.accumulate ?? cfg.accum ?? 1;
  const classWeights = cfg.weighted ? trajectory.class_weights : undefined;
  const optim = optimOf(cfg);
  const schedule = scheduleOf(optim, { scheduled: steps, stepsPerEpoch: steps });
  let weights: ModelWeights;
  let forward: Forward;
  let trainStep: TrainStep;
  const losses: number[] = [];
  const norms: number[] = [];
  const gradientsFile = goldenPath(`traj_grads_step0_${name}.safetensors`);
  // For some of the variants.
  const isRecorded = existsSync(gradientsFile);
  let firstLogits: Float32Array;
  let firstMoments: Map<string, Float32Array>;

  beforeAll(async () => {
    const config = {
      ...(readGoldenJson('bert-tiny-uncased/config.json') as Record<string, unknown>),
      hidden_dropout_prob: 0,
      attention_probs_dropout_prob: 0,
    };
    const encoder = parseEncoderConfig(config, 'bert-tiny-uncased/config.json');
    const numClasses = trajectory.num_classes;
    const head = { numClasses, numOutputLayers: cfg.layers };
    allowTensorFloat32(false); // GPUs would round to it
    weights = new ModelWeights({ specs: classifierWeights({ encoder, ...head }), devices: [testDevice()] });
    forward = new Forward(weights, { encoder, head });
    // NOTE: variants without clipping get a limit that is never reached, because only clipping computes the norm.
    const clip = cfg.clip || 1e9;
    trainStep = new TrainStep(weights, { shape: { encoder, head }, optim, clip, seed: 0, headDropout: 0 });
    const start = await openTensors(goldenPath('traj_init.safetensors'));
    const headFile = goldenPath(`traj_init_head_${cfg.layers}layer.safetensors`);
    const startOfHead = existsSync(headFile) ? await openTensors(headFile) : start;
    await weights.load(
      (weight) => (weight.startsWith('classifier.') ? startOfHead : start).readFloat32(weight),
      headFile,
    );
    await Promise.all([start.close(), startOfHead.close()]);
    await trainStep.loadSlots();
    firstLogits = await forward.run(batches[0]!);
    for (let step = 0; step < steps; step++) {
      const group = batches.slice(step * accumulate, (step + 1) * accumulate);
      const parts = group.map((batch): MicroBatch => ({
        batch,
        rowOffset: 0,
        rowWeights: rowWeights(batch.labels, classWeights, 1 / accumulate),
      }));
      const done = await trainStep.run(parts, { step, lr: schedule(step) });
      losses.push(...done.losses.map((loss) => loss * accumulate));
      norms.push(done.gradNorm!);
      if (step === 0 && isRecorded)
        firstMoments = new Map((await trainStep.readSlots()).map((slot) => [slot.name, slot.data]));
    }
  });
  afterAll(() => weights.close());

  test('the logits before training are NeMo’s', () => expectClose(firstLogits, variant.logits_first.flat()));

  test('the loss of every batch is NeMo’s', () => {
    expect(losses).toHaveLength(variant.loss.length);
    expectClose(losses, variant.loss);
  });

  test('the learning rate of every step is NeMo’s', () => {
    variant.lr.forEach((lr, step) => expect(schedule(step)).toBeCloseTo(lr, 12));
  });

  test('the gradient’s norm at every step is NeMo’s', () => {
    variant.grad_norm.forEach((norm, step) => expect(norms[step]! / norm).toBeCloseTo(1, 4));
  });

  testIf(
    isRecorded,
    'the golden set has no gradients of this variant',
    'every gradient of the first step is NeMo’s',
    async () => {
      // Adam's first moment is then a tenth of the gradient; its weight decay is part of that, AdamW's is not.
      const decay = cfg.opt === 'adam' ? cfg.wd : 0;
      const recorded = await openTensors(gradientsFile);
      const start = await openTensors(goldenPath('traj_init.safetensors'));
      for (const weight of recorded.names()) {
        const before = await start.readFloat32(weight);
        const moment = firstMoments.get(`optimizer/exp_avg/${weight}`)!;
        const expected = await recorded.readFloat32(weight);
        const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
        const scaled = (values: Float32Array) => values.map((value) => value / largest);
        expectClose(scaled(moment.map((value, i) => value / 0.1 - decay * before[i]!)), scaled(expected), weight);
      }
      await Promise.all([recorded.close(), start.close()]);
    },
  );

  test('the logits after training are NeMo’s', async () => {
    expectClose(await forward.run(batches[0]!), variant.final_logits_batch0.flat());
  });

  test('every weight after training is NeMo’s, and the pooler is untouched', async () => {
    const final = await openTensors(goldenPath(`traj_final_${name}.safetensors`));
    const trained = new Map((await weights.readAll()).map((weight) => [weight.name, weight.data]));
    const names = final.names().filter(comparable);
    expect(names.length).toBeGreaterThan(0);
    for (const weight of names) {
      if (weight.includes('pooler')) expect(trained.get(weight)).toEqual(await final.readFloat32(weight));
      else expectClose(trained.get(weight)!, await final.readFloat32(weight), weight);
    }
    await final.close();
  });
});

function optimOf({ opt, lr, wd, warmup_ratio }: Variant['cfg']): Config['model']['optim'] {
  return { name: opt, lr, weight_decay: wd, sched: { name: 'WarmupAnnealing', warmup_ratio } };
}

function asBatch({ input_ids, attention_mask, labels }: RecordedBatch): Batch {
  const size = labels.length;
  return {
    rows: Int32Array.from(labels.keys()),
    size,
    length: input_ids[0]!.length,
    ids: Int32Array.from(input_ids.flat()),
    mask: Int32Array.from(attention_mask.flat()),
    labels: Int32Array.from(labels),
    tokens: attention_mask.flat().reduce((a, b) => a + b, 0),
  };
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what = ''): void {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
  // A NaN makes Math.max NaN, which is not within the tolerance either.
  if (!(worst <= tolerance)) throw new Error(`${what} differs by ${worst}, more than ${tolerance}`);
}
