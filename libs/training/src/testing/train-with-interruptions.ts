import type { TrainEvent, TrainingResult } from '@nautil/contracts';
import { TrainingInterrupted } from '../errors.js';
import type { TrainJob } from '../job.js';
import { trainClassifier } from '../train.js';
import type { TrainControl } from '../train-control.js';

/** Trains to the end; interrupts and resumes the run after each of the steps `interruptAt`. Returns the events of all attempts. */
export async function trainWithInterruptions(
  job: TrainJob,
  interruptAt: readonly number[] = [],
): Promise<{ result: TrainingResult; events: TrainEvent[] }> {
  const events: TrainEvent[] = [];
  const waiting = [...interruptAt];
  for (;;) {
    const control: TrainControl = {};
    const onProgress = (event: TrainEvent): void => {
      events.push(event);
      if (event.type !== 'step' || event.step !== waiting[0]) return;
      waiting.shift();
      control.stop = 'interrupt';
    };
    try {
      return { result: await trainClassifier(job, { onProgress }, control), events };
    } catch (error) {
      if (!(error instanceof TrainingInterrupted)) throw error;
    }
  }
}
