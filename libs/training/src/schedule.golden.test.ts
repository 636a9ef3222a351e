import { expect, test } from '@jest/globals';
import type { Config, ScheduleName } from '@nautil/config';
import { readGoldenJson } from '@nautil/testing';
import { runLengthOf, scheduleOf } from './schedule.js';

function optim(lr: number, name: ScheduleName, args: object): Config['model']['optim'] {
  return { name: 'adam', lr, sched: { name, ...args } };
}

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
    const schedule = scheduleOf(optim(base_lr, name.replace(/_.*/, '') as ScheduleName, args), max_steps);
    lr_by_step.forEach((lr, step) => expect(schedule(step)).toBeCloseTo(lr, 12));
  },
);

const warmups = Object.entries(readGoldenJson('warmup_annealing_lrs.json') as Record<string, number[]>);

test.each(warmups)('WarmupAnnealing with %s gives NeMo’s learning rate at every step', (key, lrs) => {
  const pairs = Object.fromEntries(key.split(',').map((pair) => pair.split('='))) as Record<string, string>;
  const { max_steps, lr, ...rest } = pairs;
  const args = Object.fromEntries(Object.entries(rest).map(([k, v]) => [k, v === 'None' ? null : Number(v)]));
  const schedule = scheduleOf(optim(Number(lr), 'WarmupAnnealing', args), Number(max_steps));
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
    });
    expect(scheduled).toBe(max_steps);
  },
);
