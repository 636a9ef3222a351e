import { expect, test } from '@jest/globals';
import { openArtifactStore } from '@nautil/store';
import { routeRun } from './route-run.js';

const request = { workflowId: 'w', runKey: 'k', taskQueue: 'nautil' };
const place = (polled: string[], artifacts?: string) =>
  routeRun(
    request,
    {
      home: 'a',
      artifacts: openArtifactStore(artifacts ?? ''),
      isPolled: async (queue) => polled.includes(queue),
    },
    0,
  );

test('stages stay with the state folder that the run began in', async () => {
  const { queues, home, notes } = await place(['nautil-gpu@a', 'nautil-gpu']);
  expect(queues).toEqual({ cpu: 'nautil@a', gpu: 'nautil-gpu@a', gpuSharesFiles: true });
  expect([home, notes]).toEqual(['a', []]);
});

test('with an artifact store any worker may train', async () => {
  const { queues } = await place(['nautil-gpu'], '/mnt/artifacts');
  expect(queues).toEqual({ cpu: 'nautil@a', gpu: 'nautil-gpu', gpuSharesFiles: false });
});

test('while no worker trains the run waits for one of its own, which is noted', async () => {
  const { queues, notes } = await place([]);
  expect(queues.gpu).toBe('nautil-gpu@a');
  expect(notes.join()).toContain('waits for one');
});

test('when only workers train that could not get its files, the run is refused with what to set', async () => {
  await expect(place(['nautil-gpu'])).rejects.toMatchObject({
    name: 'FilesNotShared',
    retryable: false,
    hint: expect.stringContaining('NAUTIL_ARTIFACTS'),
  });
});
