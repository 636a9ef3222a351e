import { stages } from '@nautil/activities';
import { counted, Interrupted, prepareTraining, type ResolvedRun } from '@nautil/contracts';
import { runTask } from '@nautil/trainer-process';
import { type TrainControl, type TrainingGroup, TrainingInterrupted } from '@nautil/training';
import { leaseGpus } from './lease-gpus.js';
import { type LocalStageOptions, shownStage, stagesBeforeTraining } from './local-stages.js';

/**
 * Trains as a process of the group other than the first: it prepares the data itself, and leaves no model.
 *
 * @throws Interrupted when this process or another one was interrupted
 */
export async function trainAsMember(
  run: ResolvedRun,
  group: TrainingGroup,
  o: Pick<LocalStageOptions, 'display' | 'signal'>,
): Promise<void> {
  const { display, signal } = o;
  const control: TrainControl = {};
  const interrupt = (): void => {
    control.stop = 'interrupt';
  };
  signal.addEventListener('abort', interrupt);
  const onGpus = leaseGpus({
    signal,
    onWait: (message) => display.line(message),
  });
  try {
    const { inputs, tokens } = await prepareTraining(run, stagesBeforeTraining(o), shownStage(o));
    display.line(joining(group));
    const { step, reason } = await stages.trainMember(
      { run, inputs, tokens, stopEarly: false },
      {
        index: group.index,
        join: () => Promise.resolve(group),
        compute: async (task) => runTask(await onGpus(task), {}, { control }),
      },
    );
    display.line(
      `member ${group.index} of ${group.members.length} (counted from 0) has trained: ${counted(step, 'step')}, ${reason}; member 0 evaluates and packages the model`,
    );
  } catch (error) {
    if (!(error instanceof TrainingInterrupted)) throw error;
    throw new Interrupted('interrupted', {
      hint: 'member 0 has written a checkpoint, and states how to continue',
      cause: error,
    });
  } finally {
    signal.removeEventListener('abort', interrupt);
    display.close();
  }
}

/** Says which processes this one waits for. */
export const joining = ({ members, index, joinTimeoutS = 300 }: TrainingGroup): string =>
  `member ${index} of ${members.length} (counted from 0) trains at ${members[index] ?? ''}; waiting up to ${joinTimeoutS} s for the others: ${members.filter((_, other) => other !== index).join(', ')}`;
