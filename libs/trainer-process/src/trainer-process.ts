import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { RemoteError, type FromTrainer, type ToTrainer, type TrainEvent } from '@nautil/contracts';
import { packageRoot } from '@nautil/store';
import type { TrainerResult, TrainerTask } from './trainer-task.js';
import { TrainerCrashed } from './errors.js';

/** A task that a trainer process is at. What is asked after its end is asked of nobody. */
export interface RunningTask {
  readonly pid: number;

  readonly isOver: boolean;

  /** Asks for an end with a checkpoint. */
  stop(how: 'interrupt' | 'early'): void;

  /** kill -9 */
  kill(): void;
}

export interface TaskOptions {
  task: TrainerTask;

  /** Called for every event, in order. The trainer waits for what it does with a checkpoint; when it fails, the task does. */
  onEvent?: (event: TrainEvent) => void | Promise<void>;

  /** Called about once a second while the trainer's event loop turns. */
  onAlive?: () => void;

  onStarted?: ((running: RunningTask) => void) | undefined;
}

/** How long an idle process may take to end before it is killed: one that somebody has frozen would never. */
const endMs = 5000;

/** Lines of the trainer's output that are kept for the error of a crash. */
const keptLines = 20;

/**
 * A process that does tasks, one after another. TensorFlow is loaded there alone: a native crash costs this attempt and not
 * the worker. After a task that failed, or that used a GPU, whose memory it holds, the process ends.
 */
export class TrainerProcess {
  readonly #child: ChildProcess;
  readonly #tail: string[] = [];
  #isReady = false;
  #isIdle = true;
  #tasks = 0;

  /** @param env - beside this process's environment */
  constructor(env?: Record<string, string>) {
    const child = fork(fileURLToPath(new URL('./trainer-child.mjs', import.meta.url)), {
      cwd: packageRoot(),
      ...(env ? { env: { ...process.env, ...env } } : {}),
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    });
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#tail.push(...text.split('\n').filter((line) => line.trim() !== ''));
        this.#tail.splice(0, this.#tail.length - keptLines);
      });
    }
    child.once('message', () => (this.#isReady = true));
    // A task hears of it by itself; between two tasks nobody has to.
    child.on('error', () => undefined);
  }

  /** Whether it waits for a task. */
  get isIdle(): boolean {
    return this.#isIdle && this.#child.connected;
  }

  /** Tasks that it was given. */
  get tasks(): number {
    return this.#tasks;
  }

  /**
   * Does one task and resolves to its result; the process is idle then, or has ended.
   *
   * @throws RemoteError with the trainer's own error; TrainerCrashed when it ended without an answer.
   */
  run(o: TaskOptions): Promise<TrainerResult> {
    const child = this.#child;
    this.#isIdle = false;
    this.#tasks += 1;
    this.#tail.length = 0;
    return new Promise((resolve, reject) => {
      let answer: (() => void) | undefined;
      let over = false;
      const tell = (message: ToTrainer<TrainerTask>): void => {
        if (!over && child.connected) child.send(message, () => undefined);
      };
      const give = (): void => tell({ type: 'run', task: o.task });
      const end = (): void => {
        over = true;
        child.off('message', hear).off('error', fail).off('close', close);
        answer!();
      };
      const fail = (error: Error): void => {
        answer = () => reject(error);
        end();
      };
      const close = (code: number | null, signal: NodeJS.Signals | null): void => {
        answer ??= () => reject(this.#crash(signal ?? `exit code ${code}`));
        end();
      };
      const pass = async (event: TrainEvent): Promise<void> => {
        try {
          await o.onEvent?.(event);
          if (event.type === 'checkpoint') tell({ type: 'heard', step: event.step });
        } catch (error) {
          answer = () => reject(error as Error);
          child.kill('SIGKILL');
        }
      };
      const hear = (message: FromTrainer<TrainerResult>): void => {
        if (message.type === 'ready') give();
        else if (message.type === 'alive') o.onAlive?.();
        else if (message.type === 'event') void pass(message.event);
        else if (message.type === 'failed') answer = () => reject(new RemoteError(message.error));
        else {
          answer = () => resolve(message.result);
          if (!message.waits) return;
          this.#isIdle = true;
          end();
        }
      };
      child.on('message', hear).on('error', fail).on('close', close);
      if (child.exitCode !== null || child.signalCode !== null) return close(child.exitCode, child.signalCode);
      if (this.#isReady) give();
      o.onStarted?.({
        pid: child.pid!,
        get isOver() {
          return over;
        },
        stop: (how) => tell({ type: 'stop', how }),
        kill: () => void (over || child.kill('SIGKILL')),
      });
    });
  }

  /** Ends the idle process. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    // NOTE: `close` never comes after a `disconnect` of ours.
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.connected) child.disconnect();
    const late = setTimeout(() => child.kill('SIGKILL'), endMs);
    await ended;
    clearTimeout(late);
  }

  /** Whether this process goes on only to wait for it. */
  hold(held: boolean): void {
    const { channel, stdout, stderr } = this.#child;
    for (const handle of [this.#child, channel, stdout, stderr] as ({ ref(): void; unref(): void } | null)[])
      if (held) handle?.ref();
      else handle?.unref();
  }

  #crash(how: string): TrainerCrashed {
    return new TrainerCrashed(`the trainer process ended by ${how} without an answer`, {
      hint: [
        'it is tried again from the last checkpoint; SIGKILL is often the system out of memory',
        ...this.#tail,
      ].join('\n'),
    });
  }
}

/** Does one task in a process of its own, which has ended when this resolves. @throws as `TrainerProcess.run` */
export async function runTrainer({
  env,
  ...o
}: TaskOptions & { env?: Record<string, string> }): Promise<TrainerResult> {
  const trainer = new TrainerProcess(env);
  try {
    return await trainer.run(o);
  } finally {
    if (trainer.isIdle) await trainer.end();
  }
}
