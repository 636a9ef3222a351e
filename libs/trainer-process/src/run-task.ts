import { openTracker, trackTraining, type Tracker } from '@nautil/mlflow';
import { openTensorFlow } from '@nautil/tensorflow';
import { ExperimentFolder, linkOrCopy } from '@nautil/nemo';
import type { TrainerResult, TrainerTask } from './trainer-task.js';
import { evaluateWeights, TrainingMirror, trainClassifier, type Emit, type TrainControl } from '@nautil/training';

const flushMs = 5000;

/**
 * Does one task in this process, which loads TensorFlow for it.
 *
 * @param emit - hears of every step, after MLflow's journal and the run's log folder did.
 * @param o.echo - hears of every entry of the run's log.
 */
export async function runTask(
  task: TrainerTask,
  emit: Emit,
  o: { control?: TrainControl; echo?: (entry: string) => void } = {},
): Promise<TrainerResult> {
  const { config, logDir } = task.job;
  openTensorFlow({ onednn: config.nautil.onednn });
  if (task.do === 'evaluate') return evaluateWeights(task);
  const mirror = task.mirror && new TrainingMirror(task.mirror);
  const tracker = task.tracking && (await openTracker(task.tracking));
  const experiment =
    logDir === undefined
      ? undefined
      : await ExperimentFolder.open({ folder: logDir, manager: config.exp_manager, echo: o.echo });
  try {
    return await trainClassifier(task.job, mirrored(mirror, tracked(tracker, kept(experiment, emit))), o.control);
  } finally {
    await experiment?.close();
    // What a slow server has not got by then is in the journal, which is sent on when the run is closed.
    await tracker?.flush({ timeoutMs: tracker.runId === undefined ? 0 : flushMs });
    await tracker?.close();
  }
}

/** Passes a checkpoint on before anything is made of it. */
function mirrored(mirror: TrainingMirror | undefined, emit: Emit): Emit {
  return async (event) => {
    if (mirror && event.type === 'checkpoint')
      await mirror.send().catch((error: unknown) =>
        // The next checkpoint tries again; training is not held up by what only another worker would need.
        emit({ type: 'warning', message: `the checkpoint is kept here alone: ${(error as Error).message}` }),
      );
    await emit(event);
  };
}

/**
 * Logs what a checkpoint holds, then passes the event on. Steps are not logged as they come: one that is lost with a
 * crash would be logged again, with another timestamp, and MLflow would show both.
 */
function tracked(tracker: Tracker | undefined, emit: Emit): Emit {
  return async (event) => {
    if (tracker && event.type === 'checkpoint') for (const past of event.events) trackTraining(tracker, past);
    else if (tracker && event.type !== 'step' && event.type !== 'eval') trackTraining(tracker, event);
    await emit(event);
  };
}

/** Keeps in the log folder what NeMo's exp_manager would; a folder that can not be written to is no reason to stop. */
function kept(experiment: ExperimentFolder | undefined, emit: Emit): Emit {
  let folder = experiment;
  let newest: string | undefined;
  return async (event) => {
    if (event.type === 'checkpoint') newest = event.path;
    try {
      await folder?.hear(event, (path) => linkOrCopy(newest!, path));
    } catch (error) {
      const { message } = error as Error;
      await emit({ type: 'warning', message: `${folder!.path} is left as it is from here on: ${message}` });
      folder = undefined;
    }
    await emit(event);
  };
}
