import { setTimeout as sleep } from 'node:timers/promises';
import {
  RemoteError,
  type StageResult,
  type TrainedModel,
  type TrainEvent,
  type TrainingProgress,
  type TrainRequest,
} from '@nautil/contracts';
import type { TrackerOptions } from '@nautil/mlflow';
import type { TrackingTask, TrainerTask, Trainers, TrainOutcome } from '@nautil/trainer-process';
import type { MirrorPlace } from '@nautil/training';
import { CancelledFailure, Context, log } from '@temporalio/activity';
import { WorkerShutdown } from './errors.js';
import { ProgressReporter } from './progress-reporter.js';
import { trainModel } from './stages/train.js';
import { trackTrained } from './tracking.js';
import { isShutdown } from './with-heartbeat.js';

export interface TrainDependencies {
  /** Signals the progress of a training to its workflow, for the `progress` query. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;
  tracking: (request: TrainRequest) => TrackingTask & TrackerOptions;
  trainers: Trainers;

  /** Where checkpoints are replicated for workers of other state folders. */
  mirror?: MirrorPlace | undefined;
}

/** Interval of the heartbeats before the trainer process sends its own signs of life. */
const heartbeatIntervalMs = 1000;

/** How long the end of a training waits for the last signal to the workflow. */
const lastSignalTimeoutMs = 5000;

/**
 * Trains in a separate process, starting from the newest checkpoint in the run's folder. The checkpoint decides where training
 * resumes; heartbeats only show that the trainer process is alive, and its progress.
 */
export async function train(request: TrainRequest, o: TrainDependencies): Promise<StageResult<TrainedModel>> {
  const { workflowId } = request.run;
  const context = Context.current();
  const progress = new ProgressReporter({
    heartbeat: (latest) => {
      context.heartbeat(latest);
    },
    signal: (latest) => o.signalProgress(workflowId, latest),
  });
  const tracking = o.tracking(request);
  // Another process may hold the training's lock, such as an earlier attempt that is still writing its checkpoint.
  const waiting = setInterval(() => {
    context.heartbeat();
  }, heartbeatIntervalMs);
  try {
    const trained = await trainModel(request, {
      tracking,
      scope: workflowId,
      signal: context.cancellationSignal,
      compute: async (task, record) => {
        const outcome = await runTraining(task, record);
        // The workflow shows the last step after the end; a server that is down must not delay the result.
        await Promise.race([progress.signal(), sleep(lastSignalTimeoutMs)]);
        return outcome;
      },
    });
    if (trained.reused) await trackTrained(trained, tracking);
    return trained;
  } finally {
    clearInterval(waiting);
  }

  async function runTraining(
    task: Extract<TrainerTask, { do: 'train' }>,
    record: (event: TrainEvent) => Promise<void>,
  ): Promise<TrainOutcome> {
    try {
      const outcome = await o.trainers.run({
        task: { ...task, mirror: o.mirror },
        onEvent: (event) => {
          progress.onEvent(event);
          return record(event);
        },
        onAlive: () => {
          progress.heartbeat();
        },
        onStarted: (trainer) => {
          clearInterval(waiting);
          if (request.stopEarly) trainer.stop('early');
          context.cancelled.catch(() => {
            log.info('interrupting training at a checkpoint');
            trainer.stop('interrupt');
          });
        },
      });
      if ('answers' in outcome) throw new TypeError('the trainer process returned an evaluation for a training');
      return outcome;
    } catch (error) {
      if (!(error instanceof RemoteError) || error.name !== 'TrainingInterrupted') throw error;
      await context.cancelled.catch(() => undefined);
      if (isShutdown(context))
        throw new WorkerShutdown('the worker is shutting down; training resumes from its checkpoint on another worker');
      throw new CancelledFailure('training was interrupted at a checkpoint');
    }
  }
}
