import { openTracker, trackCommitted, type Tracker, trackProgress } from '@nautil/mlflow';
import { ExperimentFolder, linkOrCopy } from '@nautil/nemo';
import { readableAsFolder } from '@nautil/store/folders';
import { openTensorFlow } from '@nautil/tensorflow';
import {
  CheckpointReplica,
  evaluateWeights,
  joinTraining,
  measureTraining,
  trainClassifier,
  type TrainControl,
  type TrainListener,
} from '@nautil/training';
import type { TrainerResult, TrainerTask, TrainTask } from './trainer-task.js';

const flushMs = 5000;

export interface RunTaskOptions {
  control?: TrainControl;

  /** Receives every entry of the run's log. */
  onLogEntry?: (entry: string) => void;

  /** Receives warnings about MLflow; default: standard error. */
  onTrackingWarning?: (warning: string) => void;

  /** The end of a training waits for MLflow only if it has answered, because the caller knows that it does not. Default false. */
  isTrackingDown?: boolean;
}

/**
 * Runs one task in this process, which loads TensorFlow.
 *
 * @param listener - receives the events of a training after they are logged to MLflow's journal and the run's log folder
 */
export async function runTask<Task extends TrainerTask>(
  task: Task,
  listener: TrainListener = {},
  o: RunTaskOptions = {},
): Promise<TrainerResult<Task>> {
  openTensorFlow({ onednn: task.job.config.nautil.onednn });
  return (await perform(task, listener, o)) as TrainerResult<Task>;
}

function perform(task: TrainerTask, listener: TrainListener, o: RunTaskOptions): Promise<TrainerResult> {
  switch (task.do) {
    case 'train':
      return runTraining(task, listener, o);
    case 'join':
      return joinTraining(task.job, listener, o.control);
    case 'evaluate':
      return evaluateWeights(task);
    case 'measure':
      return measureTraining(task);
  }
}

async function runTraining({ job, mirror, tracking }: TrainTask, listener: TrainListener, o: RunTaskOptions) {
  const { config, logDir } = job;
  const tracker =
    tracking &&
    (await openTracker({
      ...tracking,
      // The journal keeps the rows until the server has answered, so training does not wait for it.
      connectTimeoutMs: 0,
      ...(o.onTrackingWarning && { warn: o.onTrackingWarning }),
    }));
  const experiment =
    logDir === undefined
      ? undefined
      : await ExperimentFolder.open({
          folder: logDir,
          manager: config.exp_manager,
          hidden: job.hidden,
          ...(o.onLogEntry ? { echo: o.onLogEntry } : {}),
        });
  // The outermost listener runs first: a checkpoint is replicated before anything is logged from it.
  let chain = listener;
  if (experiment) chain = recording(experiment, chain);
  if (tracker) chain = logging(tracker, chain);
  if (mirror) chain = replicating(new CheckpointReplica(mirror), chain);
  try {
    return await trainClassifier(job, chain, o.control);
  } finally {
    await experiment?.close();
    // Rows that do not arrive in time are in the journal, which is sent when the run is closed.
    await tracker?.flush({ timeoutMs: o.isTrackingDown === true && tracker.runId === undefined ? 0 : flushMs });
    await tracker?.close();
  }
}

/** Replicates each checkpoint. A failure is only a warning: the next checkpoint tries again, and only other workers need it. */
function replicating(replica: CheckpointReplica, next: TrainListener): TrainListener {
  return {
    onProgress: (event) => next.onProgress?.(event),
    async onCommitted(checkpoint) {
      try {
        await replica.push();
      } catch (error) {
        await next.onProgress?.({
          type: 'warning',
          message: `the checkpoint exists only on this machine: ${(error as Error).message}`,
        });
      }
      await next.onCommitted?.(checkpoint);
    },
  };
}

/** Logs to MLflow. Steps and evaluations are logged once committed: a step that is computed again would show up twice. */
function logging(tracker: Tracker, next: TrainListener): TrainListener {
  return {
    async onProgress(event) {
      trackProgress(tracker, event);
      await next.onProgress?.(event);
    },
    async onCommitted(checkpoint) {
      for (const event of checkpoint.events) trackCommitted(tracker, event);
      await tracker.sync(); // The next checkpoint no longer contains these events.
      await next.onCommitted?.(checkpoint);
    },
  };
}

/** Keeps the files of NeMo's exp_manager. A log folder that cannot be written to does not stop training. */
function recording(experiment: ExperimentFolder, next: TrainListener): TrainListener {
  let newest = '';
  let hasFailed = false;
  const copyNewest = async (path: string): Promise<void> => {
    await linkOrCopy(newest, path);
    await readableAsFolder(path);
  };
  const record = async (write: () => Promise<void>): Promise<void> => {
    if (hasFailed) return;
    try {
      await write();
    } catch (error) {
      hasFailed = true;
      const message = `${experiment.path} is no longer updated: ${(error as Error).message}`;
      await next.onProgress?.({ type: 'warning', message });
    }
  };
  return {
    async onProgress(event) {
      await record(() => experiment.onProgress(event, copyNewest));
      await next.onProgress?.(event);
    },
    async onCommitted(checkpoint) {
      newest = checkpoint.path;
      await record(() => experiment.onCommitted(checkpoint, copyNewest));
      await next.onCommitted?.(checkpoint);
    },
  };
}
