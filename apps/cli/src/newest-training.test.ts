import { expect, test } from '@jest/globals';
import { defaultPayloadConverter, type WorkflowExecutionDescription } from '@temporalio/client';
import { newestTraining } from './newest-training.js';

const ofWorkflow = { step: 5, totalSteps: 9, epoch: 0, loss: 0.7, examplesPerSecond: 80, secondsLeft: 4 };

/** A workflow whose train activity has sent a heartbeat with these details. */
const workflowWith = (details: unknown) => ({
  describe: async () =>
    ({
      raw: {
        pendingActivities: [
          {
            activityType: { name: 'train' },
            heartbeatDetails: { payloads: [defaultPayloadConverter.toPayload(details)] },
          },
        ],
      },
    }) as unknown as WorkflowExecutionDescription,
});

async function shown(details: unknown) {
  const warnings: string[] = [];
  const training = await newestTraining(workflowWith(details), { training: ofWorkflow }, (text) => warnings.push(text));
  return { training, warnings };
}

test('the progress of a heartbeat replaces that of the workflow when it is newer', async () => {
  const newer = { ...ofWorkflow, step: 7, checkpoint: 'step-5', warnings: ['a'] };
  expect(await shown(newer)).toEqual({ training: newer, warnings: [] });
  expect(await shown({ ...ofWorkflow, step: 3 })).toEqual({ training: ofWorkflow, warnings: [] });
  expect(await shown(undefined)).toEqual({ training: ofWorkflow, warnings: [] });
});

test.each([
  [{ ...ofWorkflow, step: '7' }, 'value/step must be integer'],
  [{ step: 7 }, "value must have required property 'totalSteps'"],
  [{ ...ofWorkflow, warnings: 'a' }, 'value/warnings must be array'],
  ['tokenizing', 'value must be object'],
  [null, 'value must be object'],
])('an invalid heartbeat, %j, is not shown and causes a warning', async (details, problem) => {
  const warning = `the heartbeat of the training is invalid: ${problem}`;
  expect(await shown(details)).toEqual({ training: ofWorkflow, warnings: [warning] });
});
