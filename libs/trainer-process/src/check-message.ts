import type { FromTrainer, ToTrainer } from '@nautil/contracts';
import { InvalidJson, type JsonValidator, validateFromTrainer, validateToTrainer } from '@nautil/contracts/schemas';
import { TrainerMessageInvalid } from './errors.js';
import { type TrainerResult, type TrainerTask, validateResult, validateTask } from './trainer-task.js';

/** Checks a message that a worker received. @throws TrainerMessageInvalid */
export const checkFromTrainer = (message: unknown): FromTrainer<unknown> =>
  check(validateFromTrainer, message, 'a message from the trainer process');

/** Checks a message that a trainer process received. @throws TrainerMessageInvalid */
export function checkToTrainer(message: unknown): ToTrainer<TrainerTask> {
  const checked = check(validateToTrainer, message, 'a message to the trainer process');
  if (checked.type !== 'run') return checked;
  return { ...checked, task: check(validateTask, checked.task, 'the task of the trainer process') };
}

/** Checks the result of a task. @throws TrainerMessageInvalid */
export function checkResult<Task extends TrainerTask>(task: Task, result: unknown): TrainerResult<Task> {
  const checked = check<TrainerResult>(validateResult[task.do], result, 'the result of the trainer process');
  return checked as TrainerResult<Task>;
}

function check<T>(validate: JsonValidator<T>, message: unknown, source: string): T {
  try {
    return validate(message, source);
  } catch (cause) {
    if (!(cause instanceof InvalidJson)) throw cause;
    throw new TrainerMessageInvalid(cause.message, {
      cause,
      hint: 'the worker and its trainer process run different versions of Nautil: restart the worker after an update',
    });
  }
}
