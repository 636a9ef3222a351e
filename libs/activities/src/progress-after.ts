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
        epoch: 0,
        loss: progress?.loss ?? 0,
        examplesPerSecond: 0,
        secondsLeft: 0,
      };
    case 'step':
      return (
        progress && {
          ...progress,
          step: event.step,
          epoch: event.epoch,
          loss: event.loss,
          examplesPerSecond: event.examplesPerSecond,
          secondsLeft: event.secondsLeft,
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

/** The progress of a training after a checkpoint. */
export function progressAfterCheckpoint(
  progress: TrainHeartbeat | undefined,
  { step, path }: CheckpointSaved,
): TrainHeartbeat | undefined {
  return progress && { ...progress, checkpointStep: step, checkpoint: path };
}
