import { expect, test } from '@jest/globals';
import { type EndedBy, remedyAfterFailure } from './remedy-after-failure.js';

const remedy = (ended: Partial<EndedBy> & Pick<EndedBy, 'kind'>): string =>
  remedyAfterFailure({ type: 'Failed', noun: 'run', workflowId: 'e18', setting: undefined, ...ended });

test('a training that fails in the same way with the same settings is resumed with the setting of its failure', () => {
  expect(remedy({ kind: 'training', setting: 'model.optim.lr=1e-5' })).toBe(
    '`npx nautil resume e18 model.optim.lr=1e-5` repeats the run with that setting',
  );
});

test('where the remedy is a setting or something else, the resume command is printed with the setting and without', () => {
  expect(remedy({ kind: 'data', setting: 'model.dataset.num_classes=8' })).toBe(
    'then `npx nautil resume e18` continues the run; `npx nautil resume e18 model.dataset.num_classes=8` continues it with that setting',
  );
});

test('a failure without a setting, such as those in histories of earlier versions, is followed by the same command', () => {
  expect(remedy({ kind: 'environment' })).toBe('then `npx nautil resume e18` continues the run');
});

test('a sweep, which is resumed without overrides, and a wrong configuration start anew', () => {
  expect(remedy({ kind: 'training', setting: 'model.optim.lr=1e-5', noun: 'sweep' })).toBe(
    'then start the sweep again',
  );
  expect(remedy({ kind: 'config', setting: 'trainer.devices=1' })).toBe('then start the run again');
});
