import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledFailure, Context, log } from '@temporalio/activity';
import {
  type CheckpointSaved,
  RemoteError,
  type StageResult,
  type TrainedModel,
  type TrainingProgress,
  type TrainingResult,
  type TrainRequest,
} from '@nautil/contracts';
import type { TrackerOptions } from '@nautil/mlflow';
import type { TrackingTask, Trainers, TrainTask } from '@nautil/trainer-process';
import type { ReplicaPlace } from '@nautil/training';
import { WorkerShutdown } from './errors.js';
import { ProgressReporter } from './progress-reporter.js';
import { environmentOf } from './run-environment.js';
import { trainModel } from './stages/train.js';
import { trackTrained } from './tracking.js';
import { isShutdown } from './with-heartbeat.js';

export interface TrainDependencies {
  /** Signals the progress of a training to its workflow, for the `progress` query. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;
  tracking: (request: TrainRequest) => TrackingTask & TrackerOptions;
  trainers: Trainers;

  /** Where checkpoints are replicated for workers of other state folders. */
  mirror?: ReplicaPlace | undefined;
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
  const environment = environmentOf(request.run);
  const progress = new ProgressReporter({
    heartbeat: (latest) => {
      context.heartbeat(environment.conceal(latest));
    },
    signal: (latest) => o.signalProgress(workflowId, environment.conceal(latest)),
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
    task: TrainTask,
    record: (checkpoint: CheckpointSaved) => Promise<void>,
  ): Promise<TrainingResult> {
    try {
      return await o.trainers.run({
        task: { ...task, mirror: o.mirror },
        signal: context.cancellationSignal,
        onWait: () => {
          log.info('the training waits for GPUs that other tasks have', { devices: task.job.config.trainer.devices });
        },
        onProgress: (event) => {
          progress.onProgress(event);
        },
        onCommitted: (checkpoint) => {
          progress.onCommitted(checkpoint);
          return record(checkpoint);
        },
        onHeartbeat: () => {
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
    } catch (error) {
      const hasEnded = error instanceof RemoteError && error.name === 'TrainingInterrupted';
      const wasWaiting = context.cancellationSignal.aborted && error === context.cancellationSignal.reason;
      if (!hasEnded && !wasWaiting) throw error;
      await context.cancelled.catch(() => undefined);
      if (isShutdown(context))
        throw new WorkerShutdown('the worker is shutting down; training resumes from its checkpoint on another worker');
      throw new CancelledFailure('training was interrupted at a checkpoint');
    }
  }
}
