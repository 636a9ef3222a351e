import { setTimeout } from 'node:timers/promises';
import { gpuTaskQueue, homeTaskQueue, type ResolvedRun, type RunRequest } from '@nautil/contracts';
import type { ArtifactStore } from '@nautil/store';
import { FilesNotShared } from './errors.js';

/** What a worker knows about itself and the other workers. */
export interface WorkerContext {
  /** Identifies its state folder; see `homeId` in the store. */
  stateFolderId: string;

  /** Transfers files to and from workers with other state folders. */
  artifacts?: ArtifactStore | undefined;

  /** True when a worker polls the task queue for activities. */
  isPolled: (taskQueue: string) => Promise<boolean>;
}

export type Route = Pick<ResolvedRun, 'home' | 'queues' | 'notes'>;

/** The route of a run outside Temporal, where all stages run in one process. */
export const localRouting = ({ taskQueue }: RunRequest): Promise<Route> =>
  Promise.resolve({
    queues: { cpu: taskQueue, gpu: gpuTaskQueue(taskQueue), gpuSharesFiles: true },
    notes: [],
  });

export interface RoutingOptions {
  /** How long to wait for a training worker that shares this worker's files, while only other workers train. */
  timeoutMs?: number;
  sleep?: (ms: number) => Promise<unknown>;
}

const pollIntervalMs = 1000;

/**
 * Chooses the task queues of a run. Its stages run on the workers that share this worker's state folder. Training runs on those of
 * them that have a device, or with an artifact store on any worker that has one.
 *
 * @throws FilesNotShared when the only workers that train cannot get the run's files.
 */
export async function routeRun(
  { taskQueue }: RunRequest,
  { stateFolderId, artifacts, isPolled }: WorkerContext,
  { timeoutMs = 15_000, sleep = setTimeout }: RoutingOptions = {},
): Promise<Route> {
  const cpu = homeTaskQueue(taskQueue, stateFolderId);
  const anyGpu = gpuTaskQueue(taskQueue);
  const route = (gpu: string, gpuSharesFiles: boolean, notes: string[] = []): Route => ({
    home: stateFolderId,
    queues: { cpu, gpu, gpuSharesFiles },
    notes,
  });
  if (artifacts) return route(anyGpu, false);
  const gpu = homeTaskQueue(anyGpu, stateFolderId);
  for (let waitedMs = 0; !(await isPolled(gpu)); waitedMs += pollIntervalMs) {
    if (!(await isPolled(anyGpu)))
      return route(gpu, true, [`no worker takes training from ${gpu} yet: the run waits for one before it trains`]);
    // A training worker with our state folder may just be starting.
    if (waitedMs >= timeoutMs) throw new FilesNotShared(stateFolderId);
    await sleep(pollIntervalMs);
  }
  return route(gpu, true);
}
