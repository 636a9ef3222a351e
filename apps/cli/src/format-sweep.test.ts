import { expect, test } from '@jest/globals';
import { formatSweep } from './format-sweep.js';

test('each key that varies has a column, and a trial that failed shows why', () => {
  const table = formatSweep({
    objective: 'val/loss',
    rows: [
      {
        number: 2,
        workflowId: 'lr-2',
        overrides: ['model.optim.lr=2e-5', '+data=imdb'],
        state: 'done',
        objective: 0.25,
        accuracy: 0.9,
        f1Macro: 0.89,
        loss: 0.3,
      },
      {
        number: 1,
        workflowId: 'lr-1',
        overrides: ['model.optim.lr=1.0', '+data=imdb'],
        state: 'failed',
        failure: { type: 'LossNotFinite', message: 'train: the loss is NaN at step 7' },
      },
    ],
  });
  expect(table.split('\n')).toEqual([
    'trial  model.optim.lr  data  val/loss  accuracy  macro F1    loss  state',
    '    2  2e-5            imdb    0.2500    0.9000    0.8900  0.3000  done',
    '    1  1.0             imdb                                        failed: LossNotFinite',
  ]);
});
