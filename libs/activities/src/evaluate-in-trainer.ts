import { Context, log } from '@temporalio/activity';
import type { Trainers } from '@nautil/trainer-process';
import { WorkerShutdown } from './errors.js';
import type { Evaluate } from './stages/index.js';
import { isShutdown } from './with-heartbeat.js';

/** Evaluates in a trainer process, which is killed when the activity is cancelled. */
export async function evaluateInTrainer(trainers: Trainers, options: Parameters<Evaluate>[0]): ReturnType<Evaluate> {
  const context = Context.current();
  try {
    return await trainers.run({
      task: { do: 'evaluate', ...options },
      signal: context.cancellationSignal,
      onWait: (message) => {
        log.info(message);
      },
      onStarted: (trainer) => {
        context.cancelled.catch(() => {
          trainer.kill();
        });
      },
    });
  } catch (error) {
    if (!isShutdown(context)) throw error;
    throw new WorkerShutdown('the worker is shutting down; the evaluation is retried on another worker');
  }
}
