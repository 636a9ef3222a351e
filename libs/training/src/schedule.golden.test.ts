import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { type Config, loadConfig, type ScheduleName } from '@nautil/config';
import type { EpochEvaluated } from '@nautil/contracts';
import { readGoldenJson } from '@nautil/testing';
import { LearningRate } from './learning-rate.js';
import { runLengthOf, scheduleOf } from './schedule.js';

function optim(lr: number, name: ScheduleName, args: object): Config['model']['optim'] {
  return { name: 'adam', lr, sched: { name, ...args } };
}

const lengthOf = (scheduled: number) => ({ scheduled, stepsPerEpoch: scheduled });

interface LrCase {
  max_steps: number;
  base_lr: number;
  args: Record<string, unknown>;
  lr_by_step: number[];
}
interface MaxStepsCase {
  args: Record<string, number | boolean>;
  max_steps: number;
}
const { compute_max_steps: maxStepsCases, ...lrCases } = readGoldenJson('nemo-files/lr_golden.json') as Record<
  string,
  unknown
>;
const schedulers = Object.entries(lrCases as Record<string, LrCase>);

test.each(schedulers)(
  '%s gives NeMo’s learning rate at every step',
  (name, { max_steps, base_lr, args, lr_by_step }) => {
    const schedule = scheduleOf(optim(base_lr, name.replace(/_.*/, '') as ScheduleName, args), lengthOf(max_steps));
    lr_by_step.forEach((lr, step) => expect(schedule(step)).toBeCloseTo(lr, 12));
  },
);

const warmups = Object.entries(readGoldenJson('warmup_annealing_lrs.json') as Record<string, number[]>);

test.each(warmups)('WarmupAnnealing with %s gives NeMo’s learning rate at every step', (key, lrs) => {
  const pairs = Object.fromEntries(key.split(',').map((pair) => pair.split('='))) as Record<string, string>;
  const { max_steps, lr, ...rest } = pairs;
  const args = Object.fromEntries(Object.entries(rest).map(([k, v]) => [k, v === 'None' ? null : Number(v)]));
  const schedule = scheduleOf(optim(Number(lr), 'WarmupAnnealing', args), lengthOf(Number(max_steps)));
  lrs.forEach((expected, step) => expect(schedule(step)).toBeCloseTo(expected, 12));
});

test.each(maxStepsCases as MaxStepsCase[])(
  'a run has the $max_steps optimizer steps that NeMo counts',
  ({ args, max_steps }) => {
    const per = Number(args['num_samples']) / Number(args['num_workers']) / Number(args['batch_size']);
    const all = args['drop_last'] ? Math.floor(per) : Math.ceil(per);
    const limit = Number(args['limit_train_batches']);
    const { scheduled } = runLengthOf({
      batchesPerEpoch: Number.isInteger(limit) && limit > 1 ? Math.min(all, limit) : Math.trunc(all * limit),
      trainer: {
        accumulate_grad_batches: Number(args['accumulate_grad_batches']),
        max_epochs: Number(args['max_epochs']),
        max_steps: -1,
      },
      sched: null,
    });
    expect(scheduled).toBe(max_steps);
  },
);

interface ScheduleCase {
  sched: { name: ScheduleName } & Record<string, unknown>;
  max_steps: number;
  epochs: number;
  lr: number[];
}
const recorded = JSON.parse(readFileSync(new URL('../../../tests/golden/schedules.json', import.meta.url), 'utf8')) as {
  optim_lr: number;
  steps_per_epoch: number;
  watched: number[];
  cases: ScheduleCase[];
};

const evaluationAt = (step: number, loss: number): EpochEvaluated => {
  const zero = { precision: 0, recall: 0, f1: 0 };
  const report = { classes: [], micro: zero, macro: zero, weighted: zero, accuracy: 0, support: 0, confusion: [] };
  return { type: 'eval', split: 'val', step, epoch: 0, loss, report, timestampMs: 0 };
};

async function loadCase({ sched, max_steps, epochs }: Pick<ScheduleCase, 'sched' | 'max_steps' | 'epochs'>) {
  const keys = Object.entries(sched).map(([key, value]) => `++model.optim.sched.${key}=${String(value)}`);
  const { config } = await loadConfig({
    overrides: [
      '~model.optim.sched',
      ...keys,
      `model.optim.lr=${recorded.optim_lr}`,
      `trainer.max_epochs=${epochs}`,
      `trainer.max_steps=${max_steps}`,
    ],
  });
  return config;
}

test.each(recorded.cases.map((kase) => [JSON.stringify(kase.sched), kase.max_steps, kase] as const))(
  'the configuration %s with trainer.max_steps %i gives NeMo’s learning rates',
  async (_, __, kase) => {
    const { trainer, model } = await loadCase(kase);
    const { steps_per_epoch: stepsPerEpoch, watched } = recorded;
    const length = runLengthOf({ batchesPerEpoch: stepsPerEpoch, trainer, sched: model.optim.sched });
    const learningRate = new LearningRate(model.optim, length);
    const isPlateau = kase.sched.name === 'ReduceLROnPlateau';
    let plateau: ReturnType<LearningRate['plateauAfter']>;
    const rates: number[] = [];
    for (let step = 0; step < kase.epochs * stepsPerEpoch; step += 1) {
      const atEpoch = step % stepsPerEpoch === 0;
      if (isPlateau && step > 0) {
        // An evaluation within an epoch must not count.
        const loss = atEpoch ? watched[step / stepsPerEpoch - 1]! : 99;
        plateau = learningRate.plateauAfter(plateau, evaluationAt(step, loss));
      }
      if (!isPlateau || atEpoch) rates.push(learningRate.at(step, plateau));
    }
    expect(rates.length).toBe(kase.lr.length);
    for (const [at, rate] of rates.entries()) {
      // Known difference: after max_steps NoamAnnealing is at min_lr, as recorded from NeMo 1.8, which 1.23 changed.
      const isPastNoam = kase.sched.name === 'NoamAnnealing' && at > (length.scheduled ?? Infinity);
      const difference = Math.abs(rate - (isPastNoam ? (model.optim.sched?.min_lr ?? 0) : kase.lr[at]!));
      if (!(difference < 1e-12)) throw new Error(`rate ${at} is ${rate}, recorded ${kase.lr[at]!}`);
    }
  },
);
