import { setTimeout as sleep } from 'node:timers/promises';
import { gpuTaskQueue, homeTaskQueue, type ResolvedRun, type RunRequest } from '@nautil/contracts';
import type { ArtifactStore } from '@nautil/store';
import { FilesNotShared } from './errors.js';

/** What a worker knows of itself and of the others. */
export interface WorkerContext {
  /** Its state folder; see homeId. */
  home: string;

  /** Where it passes files through to workers of other state folders. */
  artifacts?: ArtifactStore | undefined;

  /** Whether a worker takes activities from a task queue. */
  isPolled: (taskQueue: string) => Promise<boolean>;
}

export type Place = Pick<ResolvedRun, 'home' | 'queues' | 'notes'>;

/** Runs outside Temporal: everything happens in one process. */
export const here = async ({ taskQueue }: RunRequest): Promise<Place> => ({
  queues: { cpu: taskQueue, gpu: gpuTaskQueue(taskQueue), gpuSharesFiles: true },
  notes: [],
});

/**
 * Where the stages of a run go: to the workers that share this one's state folder, and training to those of them that have the
 * device; with an artifact store, to any worker that does.
 *
 * @param patienceMs - how long one of our own that trains may take to start, while others train
 * @throws FilesNotShared when only workers train that could not get the run's files.
 */
export async function routeRun(
  { taskQueue }: RunRequest,
  { home, artifacts, isPolled }: WorkerContext,
  patienceMs = 15_000,
): Promise<Place> {
  const cpu = homeTaskQueue(taskQueue, home);
  const anyGpu = gpuTaskQueue(taskQueue);
  if (artifacts) return { home, queues: { cpu, gpu: anyGpu, gpuSharesFiles: false }, notes: [] };
  const gpu = homeTaskQueue(anyGpu, home);
  const place = { home, queues: { cpu, gpu, gpuSharesFiles: true }, notes: [] as string[] };
  for (let waitedMs = 0; !(await isPolled(gpu)); waitedMs += 1000) {
    if (!(await isPolled(anyGpu))) {
      place.notes.push(`no worker takes training from ${gpu} yet: the run waits for one before it trains`);
      break;
    }
    // One of ours may be starting.
    if (waitedMs >= patienceMs) throw new FilesNotShared(home);
    await sleep(1000);
  }
  return place;
}
