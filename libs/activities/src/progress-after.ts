import type { CheckpointSaved, TrainEvent, TrainHeartbeat } from '@nautil/contracts';

/** The workflow keeps all warnings that it has received, so the newest are enough here. */
const keptWarnings = 5;

/** The progress of a training after a live event; undefined before training starts. */
export function progressAfter(progress: TrainHeartbeat | undefined, event: TrainEvent): TrainHeartbeat | undefined {
  switch (event.type) {
    case 'start':
      return {
        ...progress,
        step: event.step,
        totalSteps: event.totalSteps,
        epoch: epochOf(event),
        ...{ loss: NaN, examplesPerSecond: NaN, secondsLeft: NaN },
      };
    case 'step':
      return (
        progress && {
          ...progress,
          step: event.step,
          epoch: event.epoch,
          loss: event.loss,
          ...speedOf(event),
        }
      );
    case 'eval':
      return (
        progress && {
          ...progress,
          validation: {
            epoch: event.epoch,
            loss: event.loss,
            accuracy: event.report.accuracy,
            f1Macro: event.report.macro.f1,
          },
        }
      );
    case 'warning':
      return progress && { ...progress, warnings: [...(progress.warnings ?? []), event.message].slice(-keptWarnings) };
    default:
      return progress;
  }
}

/** The epoch of the next step, or of the last one when none follows. */
const epochOf = ({ step, totalSteps, stepsPerEpoch }: Extract<TrainEvent, { type: 'start' }>): number =>
  Math.floor(Math.max(0, Math.min(step, totalSteps - 1)) / stepsPerEpoch);

/** NaN while the time left is not known: the first step of a process traces the graph, and says nothing of those to come. */
function speedOf({ examplesPerSecond, secondsLeft }: Extract<TrainEvent, { type: 'step' }>) {
  return Number.isFinite(secondsLeft)
    ? { examplesPerSecond, secondsLeft }
    : { examplesPerSecond: NaN, secondsLeft: NaN };
}

/** The progress of a training after a checkpoint. */
export function progressAfterCheckpoint(
  progress: TrainHeartbeat | undefined,
  { step, path }: CheckpointSaved,
): TrainHeartbeat | undefined {
  return progress && { ...progress, checkpointStep: step, checkpoint: path };
}
