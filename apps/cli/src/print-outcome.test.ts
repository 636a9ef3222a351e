import { afterEach, expect, jest, test } from '@jest/globals';
import { printOutcome } from './print-outcome.js';

const nemo = { path: '/models/reviews.nemo', sha256: '0'.repeat(64), sizeBytes: 1 };

const scores = { split: 'val', examples: 9, loss: 0, accuracy: 1, f1Macro: 1, f1Micro: 1, f1Weighted: 1 } as const;

afterEach(() => {
  jest.restoreAllMocks();
});

test.each([
  ['last', /^weights {3}those of the last step; with .*save_best_model=true, those of the best\s+validation, if any$/m],
  ['best', /^weights {3}those of the best validation \(.*save_best_model\)$/m],
] as const)(
  'the end of a run states that the archive has the %s weights, and the key that decides',
  async (weights, line) => {
    const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
    await printOutcome({ nemo, weights, workflowId: 'reviews', again: ['resume', 'reviews'] });
    const output = write.mock.calls.map(([text]) => String(text)).join('');
    expect(output).toMatch(/^model {5}\/models\/reviews\.nemo$/m);
    expect(output).toMatch(line);
  },
);

test.each([
  ['all epochs', { stopReason: 'completed' }, /^go on {5}npx nautil resume reviews trainer\.max_epochs=2$/m],
  [
    'early stopping',
    { stopReason: 'early-stopped' },
    /^go on {5}.*exp_manager\.create_early_stopping_callback=false$/m,
  ],
  [
    'a score that can be no better',
    { stopReason: 'early-stopped', scores },
    /^look {6}npx nautil runs show reviews\n$/m,
  ],
] as const)('the last command after %s trains further only where that changes something', async (_, outcome, last) => {
  const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  await printOutcome({ nemo, workflowId: 'reviews', again: ['resume', 'reviews'], ...outcome });
  const output = write.mock.calls.map(([text]) => String(text)).join('');
  expect(output).toMatch(last);
  expect(output.includes('go on')).toBe(!('scores' in outcome));
});

test('the end of a run states what may be wrong with the model, with a setting to try, and where an older archive is', async () => {
  const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  await printOutcome({
    nemo,
    workflowId: 'reviews',
    again: ['resume', 'reviews'],
    findings: [{ code: 'one-class', sentence: 'the model gives one answer', remedy: 'model.optim.lr=1e-4' }],
    kept: [{ path: '/models/reviews.nemo', keptAt: '/models/reviews.1.nemo' }],
  });
  const output = write.mock.calls.map(([text]) => String(text)).join('');
  expect(output).toMatch(/^problem {3}the model gives one answer: try model\.optim\.lr=1e-4$/m);
  expect(output).toMatch(
    /^kept {6}the archive of another run that was at \/models\/reviews\.nemo is now \/models\/reviews\.1\.nemo$/m,
  );
});
