import { expect, test } from '@jest/globals';
import { loadConfig } from './load-config.js';

const withSchedule = (name: string, ...overrides: string[]) =>
  loadConfig({ overrides: ['~model.optim.sched', `++model.optim.sched.name=${name}`, ...overrides] });

test.each([
  ['WarmupAnnealing', ['++model.optim.sched.last_epoch=3'], /last_epoch is 3/],
  [
    'CyclicLR',
    ['++model.optim.sched.base_lr=1', '++model.optim.sched.max_lr=2'],
    /needs model.optim.sched.cycle_momentum/,
  ],
  ['CyclicLR', ['++model.optim.sched.cycle_momentum=true'], /cycle_momentum is true/],
  [
    'CyclicLR',
    ['++model.optim.sched.mode=sawtooth'],
    /mode is sawtooth; CyclicLR has triangular, triangular2, exp_range/,
  ],
  ['CyclicLR', ['++model.optim.sched.gamma=0.9'], /gamma only in its mode exp_range/],
  ['ReduceLROnPlateau', ['++model.optim.sched.mode=triangular'], /mode is triangular; ReduceLROnPlateau has min, max/],
  ['ReduceLROnPlateau', ['++model.optim.sched.factor=1.0'], /factor is 1/],
  ['T5InverseSquareRootAnnealing', [], /needs model.optim.sched.constant_steps/],
  ['T5InverseSquareRootAnnealing', ['++model.optim.sched.constant_steps=0'], /constant_steps is 0/],
  ['T5InverseSquareRootAnnealing', ['++model.optim.sched.warmup_steps=3'], /has no model.optim.sched.warmup_steps/],
  ['NoamHoldAnnealing', [], /needs model.optim.sched.warmup_steps or warmup_ratio/],
  ['CosineAnnealing', ['++model.optim.sched.min_lr=1'], /min_lr is 1, more than model.optim.lr/],
])('what NeMo or PyTorch refuses for %s is refused by name: %j', async (name, overrides, message) => {
  await expect(withSchedule(name, ...overrides)).rejects.toThrow(message);
});

const t5 = ['T5InverseSquareRootAnnealing', '++model.optim.sched.constant_steps=3'] as const;

test.each([
  ['WarmupAnnealing', ['++model.optim.sched.monitor=val_f1'], 'model.optim.sched.monitor'],
  ['WarmupAnnealing', ['++model.optim.sched.max_steps=9', 'trainer.max_steps=8'], 'model.optim.sched.max_steps'],
  ['WarmupAnnealing', ['++model.optim.sched.reduce_on_plateau=true'], 'model.optim.sched.reduce_on_plateau'],
  [t5[0], [t5[1], 'model.optim.lr=0.5'], 'model.optim.lr'],
])('a key of %s that other keys deprive of its effect is reported: %j', async (name, overrides, key) => {
  const { notes } = await withSchedule(name, ...overrides);
  expect(notes.filter((note) => note.includes('has no effect')).map((note) => note.split(': ')[1])).toEqual([
    `${key} has no effect`,
  ]);
});

test.each([['momentum=0'], ['momentum=0.9', 'dampening=0.5']])(
  'what PyTorch refuses for Nesterov’s momentum is refused by name: %j',
  async (...options) => {
    const overrides = ['optim=sgd', 'nesterov=true', ...options].map((option, i) =>
      i === 0 ? option : `++model.optim.${option}`,
    );
    await expect(loadConfig({ overrides })).rejects.toThrow(/model.optim.nesterov=true needs/);
  },
);
