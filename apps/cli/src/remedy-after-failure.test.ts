import { expect, test } from '@jest/globals';
import { type EndedBy, remedyAfterFailure } from './remedy-after-failure.js';

const remedy = (ended: Partial<EndedBy> & Pick<EndedBy, 'kind' | 'hint'>): string =>
  remedyAfterFailure({ type: 'Failed', noun: 'run', workflowId: 'e18', ...ended });

test('a training that fails in the same way with the same settings is resumed with a setting of its remedy', () => {
  const lower =
    'last good checkpoint: /runs/model.optim.lr=3/x\nset model.optim.lr to 1e-5 (it is 0.0001), or trainer.gradient_clip_val=1.0';
  expect(remedy({ kind: 'training', hint: lower })).toBe(
    '`npx nautil resume e18 model.optim.lr=1e-5` repeats the run with that setting',
  );
  expect(remedy({ kind: 'training', hint: 'lower model.optim.lr or set trainer.gradient_clip_val=1.0' })).toContain(
    'npx nautil resume e18 trainer.gradient_clip_val=1.0`',
  );
  expect(remedy({ kind: 'training', hint: 'use a smaller model.train_ds.batch_size' })).toContain(
    'npx nautil resume e18 model.train_ds.batch_size=VALUE`',
  );
});

test('where the remedy is a setting or something else, the resume command is printed with the setting and without', () => {
  expect(
    remedy({ kind: 'environment', hint: 'set model.dataset.max_seq_length to 64, or use a smaller model' }),
  ).toContain('npx nautil resume e18 model.dataset.max_seq_length=64`');
  expect(remedy({ kind: 'data', hint: 'correct the label, or set model.dataset.num_classes to 8 or more' })).toBe(
    'then `npx nautil resume e18` continues the run; `npx nautil resume e18 model.dataset.num_classes=8` continues it with that setting',
  );
  expect(remedy({ kind: 'data', hint: 'set nautil.data.relabel=true to number them from 0' })).toContain(
    'e18 nautil.data.relabel=true`',
  );
});

test.each(['check the disk', 'model.safetensors or pytorch_model.bin is needed', undefined])(
  'without a setting in its remedy (%j) a run continues with the same command',
  (hint) => expect(remedy({ kind: 'environment', hint })).toBe('then `npx nautil resume e18` continues the run'),
);

test('a sweep, which is resumed without overrides, and a wrong configuration start anew', () => {
  expect(remedy({ kind: 'training', hint: 'lower model.optim.lr', noun: 'sweep' })).toBe('then start the sweep again');
  expect(remedy({ kind: 'config', hint: 'set trainer.devices=1' })).toBe('then start the run again');
});
