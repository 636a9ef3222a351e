import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledFailure, Context, log } from '@temporalio/activity';
import {
  type CheckpointSaved,
  type GroupPlace,
  type MemberResult,
  RemoteError,
  type StageResult,
  type TrainedModel,
  type TrainingProgress,
  type TrainingResult,
  type TrainRequest,
} from '@nautil/contracts';
import type { TrackerOptions } from '@nautil/mlflow';
import type { JoinTask, TaskOptions, TrackingTask, TrainerResult, Trainers, TrainTask } from '@nautil/trainer-process';
import type { ReplicaPlace, TrainingGroup } from '@nautil/training';
import { MemberStopped, WorkerShutdown } from './errors.js';
import { type GroupChannel, joinGroup } from './join-group.js';
import { ProgressReporter } from './progress-reporter.js';
import { environmentOf } from './run-environment.js';
import { trainModel } from './stages/train.js';
import { trainMember as trainAsMember } from './stages/train-member.js';
import { trackTrained } from './tracking.js';
import { isShutdown, withHeartbeat } from './with-heartbeat.js';

export interface TrainDependencies {
  /** Signals the progress of a training to its workflow, for the `progress` query. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;
  tracking: (request: TrainRequest) => TrackingTask & TrackerOptions;
  trainers: Trainers;

  /** How a training that several activities perform together begins. */
  group: GroupChannel;

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
  const { place } = request;
  try {
    const trained = await trainModel(request, {
      tracking,
      scope: workflowId,
      signal: context.cancellationSignal,
      ...(place && { join: () => join(request, place, o) }),
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

  function runTraining(
    task: TrainTask,
    record: (checkpoint: CheckpointSaved) => Promise<void>,
  ): Promise<TrainingResult> {
    return runTrainer(request, o, {
      task: { ...task, mirror: o.mirror },
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
      },
    });
  }
}

/** Trains in a separate process as a member of the run's group other than the first, which alone reports and saves. */
export async function trainMember(
  request: TrainRequest,
  o: Pick<TrainDependencies, 'trainers' | 'group'>,
): Promise<MemberResult> {
  const { place } = request;
  if (place === undefined) throw new TypeError('trainMember needs a place in the group');
  const context = Context.current();
  const waiting = setInterval(() => {
    context.heartbeat();
  }, heartbeatIntervalMs);
  try {
    return await trainAsMember(request, {
      index: place.index,
      join: () => join(request, place, o),
      compute: (task) =>
        runTrainer(request, o, {
          task,
          onHeartbeat: () => {
            context.heartbeat();
          },
          onStarted: () => {
            clearInterval(waiting);
          },
        }),
    });
  } finally {
    clearInterval(waiting);
  }
}

/** Waits until every member of the group has a worker. */
const join = (
  { run }: TrainRequest,
  place: GroupPlace,
  { group }: Pick<TrainDependencies, 'group'>,
): Promise<TrainingGroup> => {
  const { workflowExecution: { runId = '' } = {} } = Context.current().info;
  return withHeartbeat(({ signal }) => joinGroup(run, place, { ...group, runId, signal }));
};

/** Runs a trainer process, which a cancelled activity stops at a checkpoint. */
async function runTrainer<Task extends TrainTask | JoinTask>(
  { run, place }: TrainRequest,
  { trainers }: Pick<TrainDependencies, 'trainers'>,
  options: TaskOptions<Task>,
): Promise<TrainerResult<Task>> {
  const context = Context.current();
  try {
    return await trainers.run({
      ...options,
      signal: context.cancellationSignal,
      onWait: (message) => {
        const { devices } = options.task.job.config.trainer;
        log.info(message, { devices });
      },
      // The server has given up an activity without heartbeats, but its place on this worker is free only after it has ended.
      silenceTimeoutMs: run.heartbeatTimeoutMs,
      onStarted: (trainer) => {
        options.onStarted?.(trainer);
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
    // All members of a group stop when one is asked to. The workflow then ends the others, or starts all of them again.
    if (place !== undefined && !context.cancellationSignal.aborted) throw new MemberStopped(place.index);
    await context.cancelled.catch(() => undefined);
    if (isShutdown(context))
      throw new WorkerShutdown('the worker is shutting down; training resumes from its checkpoint on another worker');
    throw new CancelledFailure('training was interrupted at a checkpoint');
  }
}
