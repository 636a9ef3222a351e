import { setTimeout as sleep } from 'node:timers/promises';
import {
  RemoteError,
  type StageResult,
  type TrainedModel,
  type TrainEvent,
  type TrainHeartbeat,
  type TrainingProgress,
  type TrainRequest,
} from '@nautil/contracts';
import type { TrackerOptions } from '@nautil/mlflow';
import type { TrackingTask, TrainOutcome, Trainers } from '@nautil/trainer-process';
import type { MirrorPlace } from '@nautil/training';
import { CancelledFailure, Context } from '@temporalio/activity';
import { WorkerShutdown } from './errors.js';
import { trainModel } from './stages/train.js';
import { SignalThrottle } from './signal-throttle.js';
import { progressAfter } from './progress-after.js';
import { trackTrained } from './tracking.js';

export interface TrainDependencies {
  /** Tells the workflow where training is, for its `progress` query. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;
  tracking: (request: TrainRequest) => TrackingTask & TrackerOptions;
  trainers: Trainers;

  /** Where checkpoints are kept for workers of other state folders. */
  mirror?: MirrorPlace | undefined;
}

/** Milliseconds between heartbeats before the trainer says itself that it is alive. */
const heartbeatMs = 1000;

/** How long the end of a training waits until the workflow was told the last step. */
const lastWordMs = 5000;

/**
 * Trains in a process of its own, from the last checkpoint of the run's folder. The checkpoint is the truth; heartbeats
 * say that the trainer is alive, and where it is.
 */
export async function train(request: TrainRequest, o: TrainDependencies): Promise<StageResult<TrainedModel>> {
  const { run } = request;
  const context = Context.current();
  let place: TrainHeartbeat | undefined;
  let stop: ((how: 'interrupt' | 'early') => void) | undefined;
  const pace = new SignalThrottle();
  const cancelled = context.cancelled.catch(() => stop?.('interrupt'));
  /** The last place that the workflow was told. */
  let told: TrainHeartbeat | undefined;
  const tell = (): Promise<void> => {
    if (!place || told === place) return Promise.resolve();
    told = place;
    return o.signalProgress(run.workflowId, place).catch(() => undefined);
  };
  const onEvent = (event: TrainEvent): void => {
    place = progressAfter(place, event);
    if (place && pace.isDue(place, event)) void tell();
  };
  const tracking = o.tracking(request);
  // Another process may be at the same training, such as an attempt that was given up and writes its checkpoint.
  const waiting = setInterval(() => context.heartbeat(), heartbeatMs);
  return trainModel(request, {
    tracking,
    scope: run.workflowId,
    signal: context.cancellationSignal,
    compute: async (task, record) => {
      const outcome = await o.trainers
        .run({
          task: { ...task, mirror: o.mirror },
          onEvent: (event) => {
            onEvent(event);
            return record(event);
          },
          onAlive: () => context.heartbeat(place),
          onStarted: (running) => {
            clearInterval(waiting);
            stop = running.stop;
            if (request.stopEarly) stop('early');
            if (context.cancellationSignal.aborted) stop('interrupt');
          },
        })
        .catch(async (error: unknown) => {
          if (!(error instanceof RemoteError) || error.name !== 'TrainingInterrupted') throw error;
          await cancelled;
          const { workerShutdown } = context.cancellationDetails ?? {};
          if (workerShutdown)
            throw new WorkerShutdown('the worker is shutting down; training goes on elsewhere from its checkpoint');
          throw new CancelledFailure('training was stopped at a checkpoint');
        });
      // The workflow's answer after the end names the last step; a server that is away is no reason to wait.
      await Promise.race([tell(), sleep(lastWordMs)]);
      return outcome as TrainOutcome;
    },
  })
    .then(async (trained) => {
      if (trained.reused) await trackTrained(trained, tracking);
      return trained;
    })
    .finally(() => clearInterval(waiting));
}
