import { openTracker, trackTraining, type Tracker } from '@nautil/mlflow';
import { openTensorFlow } from '@nautil/tensorflow';
import {
  evaluateWeights,
  trainClassifier,
  type Emit,
  type TrainControl,
  type TrainerResult,
  type TrainerTask,
} from '@nautil/training';

const flushMs = 5000;

/**
 * Does one task in this process, which loads TensorFlow for it.
 *
 * @param emit - hears of every step, after MLflow's journal did.
 */
export async function runTask(task: TrainerTask, emit: Emit, control: TrainControl = {}): Promise<TrainerResult> {
  openTensorFlow({ onednn: task.job.settings.nautil.onednn });
  if (task.do === 'evaluate') return evaluateWeights(task);
  const tracker = task.tracking && (await openTracker(task.tracking));
  try {
    return await trainClassifier(task.job, tracked(tracker, emit), control);
  } finally {
    // What a slow server has not got by then is in the journal, which is sent on when the run is closed.
    await tracker?.flush({ timeoutMs: flushMs });
    await tracker?.close();
  }
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
