import { expect, test } from '@jest/globals';
import { openArtifactStore } from '@nautil/store';
import { routeRun, type RoutingOptions } from './route-run.js';

const request = { workflowId: 'w', runKey: 'k', taskQueue: 'nautil' };

/** Routes a run with a fake clock. `polled` lists the queues that have workers, and `later` those that get one after a time. */
function route(o: { polled: string[]; later?: { queue: string; afterMs: number }; artifacts?: string }) {
  let nowMs = 0;
  const options: RoutingOptions = {
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
  const isPolled = (queue: string): Promise<boolean> =>
    Promise.resolve(o.polled.includes(queue) || (queue === o.later?.queue && nowMs >= o.later.afterMs));
  const worker = { stateFolderId: 'a', artifacts: openArtifactStore(o.artifacts ?? ''), isPolled };
  return { routed: routeRun(request, worker, options), waitedMs: () => nowMs };
}

test('stages run on the workers of the state folder in which the run began', async () => {
  const { routed, waitedMs } = route({ polled: ['nautil-gpu@a', 'nautil-gpu'] });
  expect(await routed).toEqual({
    home: 'a',
    queues: { cpu: 'nautil@a', gpu: 'nautil-gpu@a', gpuSharesFiles: true },
    notes: [],
  });
  expect(waitedMs()).toBe(0);
});

test('with an artifact store, any worker may train', async () => {
  const { queues } = await route({ polled: ['nautil-gpu'], artifacts: '/mnt/artifacts' }).routed;
  expect(queues).toEqual({ cpu: 'nautil@a', gpu: 'nautil-gpu', gpuSharesFiles: false });
});

test('while no worker trains, the run waits for one that shares its files, and a note explains this', async () => {
  const { queues, notes } = await route({ polled: [] }).routed;
  expect(queues.gpu).toBe('nautil-gpu@a');
  expect(notes.join()).toContain('waits for one');
});

test('a training worker that shares the files has 15 seconds to start', async () => {
  const { routed, waitedMs } = route({ polled: ['nautil-gpu'], later: { queue: 'nautil-gpu@a', afterMs: 14_500 } });
  expect((await routed).queues).toEqual({ cpu: 'nautil@a', gpu: 'nautil-gpu@a', gpuSharesFiles: true });
  expect(waitedMs()).toBe(15_000);
});

test('if only workers without the files train for 15 seconds, the run is rejected, and the hint names the setting', async () => {
  const { routed, waitedMs } = route({ polled: ['nautil-gpu'], later: { queue: 'nautil-gpu@a', afterMs: 15_001 } });
  await expect(routed).rejects.toMatchObject({
    name: 'FilesNotShared',
    retryable: false,
    hint: expect.stringContaining('NAUTIL_ARTIFACTS'),
  });
  expect(waitedMs()).toBe(15_000);
});
