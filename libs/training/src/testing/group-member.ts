import type { MemberResult, TrainingResult } from '@nautil/contracts';
import { openTensorFlow } from '@nautil/tensorflow';
import type { TrainJob } from '../job.js';
import { joinTraining, trainClassifier } from '../train.js';
import type { TrainControl } from '../train-control.js';

// A process of a group, which a test forks. It receives its job, and sends the training's events and its outcome.

/** What a member sends. */
export type FromMember =
  | { type: 'step'; step: number; loss: number }
  | { type: 'warning'; message: string }
  | { type: 'done'; step: number; lastWeights?: string | undefined }
  | { type: 'failed'; name: string; message: string };

export type ToMember = { type: 'run'; job: TrainJob } | { type: 'stop' };

const control: TrainControl = {};
const send = (message: FromMember): Promise<void> =>
  new Promise((resolve) => {
    process.send!(message, () => {
      resolve();
    });
  });

process.on('message', (message: ToMember) => {
  if (message.type === 'stop') control.stop = 'interrupt';
  else void run(message.job);
});

async function run(job: TrainJob): Promise<void> {
  openTensorFlow({ onednn: job.config.nautil.onednn });
  const train = job.group?.index === 0 ? trainClassifier : joinTraining;
  try {
    const result = await train(
      job,
      {
        onProgress: async (event) => {
          if (event.type === 'step') await send({ type: 'step', step: event.step, loss: event.loss });
          if (event.type === 'warning') await send({ type: 'warning', message: event.message });
        },
      },
      control,
    );
    const { step, lastWeights } = result as Partial<TrainingResult> & MemberResult;
    await send({ type: 'done', step, lastWeights });
  } catch (error) {
    await send({ type: 'failed', name: (error as Error).name, message: (error as Error).message });
  }
  process.exit(0);
}
