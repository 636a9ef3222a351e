import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { RemoteError, type FromTrainer, type ToTrainer, type TrainEvent } from '@nautil/contracts';
import { workspaceRoot } from '@nautil/store';
import type { TrainerResult, TrainerTask } from '@nautil/training';
import { TrainerCrashed } from './errors.js';

export interface TrainerProcessOptions {
  task: TrainerTask;

  /** Beside this process's environment. */
  env?: Record<string, string>;

  /** Called for every event, in order. The trainer waits for what it does with a checkpoint; when it fails, the task does. */
  onEvent?: (event: TrainEvent) => void | Promise<void>;

  /** Called about once a second while the trainer's event loop turns. */
  onAlive?: () => void;

  /** Given the function that asks the trainer to stop with a checkpoint. */
  onStarted?: (stop: (how: 'interrupt' | 'early') => void, child: ChildProcess) => void;
}

/** Lines of the trainer's output that are kept for the error of a crash. */
const keptLines = 20;

/**
 * Runs one task in a process of its own and resolves to its result. TensorFlow is loaded there alone: a native crash costs
 * this attempt and not the worker, and the device's memory goes back when it ends.
 *
 * @throws RemoteError with the trainer's own error; TrainerCrashed when it ended without an answer.
 */
export function runTrainer(o: TrainerProcessOptions): Promise<TrainerResult> {
  return new Promise((resolve, reject) => {
    const child = fork(join(workspaceRoot(), 'apps/trainer/src/child.ts'), {
      cwd: workspaceRoot(),
      ...(o.env ? { env: { ...process.env, ...o.env } } : {}),
      execArgv: ['--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    });
    const tail: string[] = [];
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        tail.push(...text.split('\n').filter((line) => line.trim() !== ''));
        tail.splice(0, tail.length - keptLines);
      });
    }
    const tell = (message: ToTrainer<TrainerTask>): void => {
      if (child.connected) child.send(message, () => undefined);
    };
    let answer: (() => void) | undefined;
    const pass = async (event: TrainEvent): Promise<void> => {
      try {
        await o.onEvent?.(event);
        if (event.type === 'checkpoint') tell({ type: 'heard', step: event.step });
      } catch (error) {
        answer = () => reject(error as Error);
        child.kill('SIGKILL');
      }
    };
    child.on('message', (message: FromTrainer<TrainerResult>) => {
      if (message.type === 'ready') tell({ type: 'run', task: o.task });
      else if (message.type === 'alive') o.onAlive?.();
      else if (message.type === 'event') void pass(message.event);
      else if (message.type === 'done') answer = () => resolve(message.result);
      else answer = () => reject(new RemoteError(message.error));
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (answer) return answer();
      reject(
        new TrainerCrashed(`the trainer process ended by ${signal ?? `exit code ${code}`} without an answer`, {
          hint: ['it is tried again from the last checkpoint; SIGKILL is often the system out of memory', ...tail].join(
            '\n',
          ),
        }),
      );
    });
    o.onStarted?.((how) => tell({ type: 'stop', how }), child);
  });
}
