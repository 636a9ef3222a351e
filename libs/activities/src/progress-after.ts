import type { TrainEvent, TrainHeartbeat } from '@nautil/contracts';

/** The workflow keeps those that it heard of. */
const keptWarnings = 5;

/** Where training is after an event; undefined before its start. */
export function progressAfter(place: TrainHeartbeat | undefined, event: TrainEvent): TrainHeartbeat | undefined {
  switch (event.type) {
    case 'start':
      return {
        ...place,
        step: event.step,
        totalSteps: event.totalSteps,
        epoch: 0,
        loss: place?.loss ?? 0,
        examplesPerSecond: 0,
        secondsLeft: 0,
      };
    case 'step':
      return (
        place && {
          ...place,
          step: event.step,
          epoch: event.epoch,
          loss: event.loss,
          examplesPerSecond: event.examplesPerSecond,
          secondsLeft: event.secondsLeft,
        }
      );
    case 'eval':
      return (
        place && {
          ...place,
          validation: {
            epoch: event.epoch,
            loss: event.loss,
            accuracy: event.report.accuracy,
            f1Macro: event.report.macro.f1,
          },
        }
      );
    case 'checkpoint':
      return place && { ...place, checkpointStep: event.step, checkpoint: event.path };
    case 'warning':
      return place && { ...place, warnings: [...(place.warnings ?? []), event.message].slice(-keptWarnings) };
    default:
      return place;
  }
}
