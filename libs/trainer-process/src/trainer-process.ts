import { type ChildProcess, fork } from 'node:child_process';
import type net from 'node:net';
import { fileURLToPath } from 'node:url';
import { type FromTrainer, RemoteError, type ToTrainer } from '@nautil/contracts';
import { packageRoot } from '@nautil/store/folders';
import type { TrainListener } from '@nautil/training';
import { checkFromTrainer, checkResult } from './check-message.js';
import { TrainerCrashed } from './errors.js';
import type { TrainerResult, TrainerTask } from './trainer-task.js';

/** Handle to the running task. Calls after it ends are ignored. */
export interface RunningTask {
  readonly pid: number;

  readonly isOver: boolean;

  /** `interrupt`: write a checkpoint and fail with TrainingInterrupted. `early`: finish with the current weights. */
  stop(how: 'interrupt' | 'early'): void;

  /** Sends SIGKILL. */
  kill(): void;
}

/** The listener receives the events in order. The task fails when it throws; the trainer waits for `onCommitted`. */
export interface TaskOptions<Task extends TrainerTask = TrainerTask> extends TrainListener {
  task: Task;

  /** The sockets of the task's GPUs, which the process also holds while it computes; see GpuLease. Default: none. */
  leased?: readonly net.Server[] | undefined;

  /** Called about once a second while the trainer's event loop runs. */
  onHeartbeat?: () => void;

  onStarted?: ((running: RunningTask) => void) | undefined;

  /**
   * Kills the process when it has sent no heartbeat for so long: it is frozen, and would never end. Rounded up to seconds.
   * Default: never.
   */
  silenceTimeoutMs?: number;
}

/** Time for an idle process to exit before it is killed. A stopped process (SIGSTOP) never exits by itself. */
const endMs = 5000;

/** Number of lines of the trainer's output to show after a crash. */
const keptLines = 20;

/**
 * A child process that runs tasks one after another. Only the child loads TensorFlow, so a native crash costs one attempt and
 * not the worker. The child exits after a task that failed, and after one that used a GPU, to release its memory.
 */
export class TrainerProcess {
  readonly #child: ChildProcess;
  #tail: string[] = [];
  #isReady = false;
  #isIdle = true;
  #tasks = 0;

  /** @param env - added to this process's environment */
  constructor(env?: Record<string, string>) {
    const child = fork(fileURLToPath(new URL('./trainer-child.mjs', import.meta.url)), {
      cwd: packageRoot(),
      ...(env ? { env: { ...process.env, ...env } } : {}),
      execArgv: [],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'json',
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('error', () => undefined); // only the explanation of a crash gets shorter
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = text.split('\n').filter((line) => line.trim() !== '');
        this.#tail = [...this.#tail, ...lines].slice(-keptLines);
      });
    }
    child.once('message', () => (this.#isReady = true));
    // A running task has its own listener for errors; an error between tasks needs no handling.
    child.on('error', () => undefined);
  }

  /** Whether the process waits for a task. */
  get isIdle(): boolean {
    return this.#isIdle && this.#child.connected;
  }

  /** Number of tasks it was given. */
  get tasks(): number {
    return this.#tasks;
  }

  /**
   * Runs one task. Afterwards the process is idle or has exited.
   *
   * @throws RemoteError with the trainer's own error; TrainerCrashed when the process ended without a result;
   *   TrainerMessageInvalid when a message is not one of this version
   */
  run<Task extends TrainerTask>(o: TaskOptions<Task>): Promise<TrainerResult<Task>> {
    const child = this.#child;
    this.#isIdle = false;
    this.#tasks += 1;
    this.#tail = [];
    return new Promise((resolve, reject) => {
      let settle: (() => void) | undefined;
      let isOver = false;
      // Counted in ticks, so that heartbeats that this process was too busy to receive are not missed.
      let silentSeconds = 0;
      const { silenceTimeoutMs = Infinity } = o;
      const watch = setInterval(() => {
        silentSeconds += 1;
        if (silentSeconds * 1000 <= silenceTimeoutMs) return;
        settle ??= () => reject(this.#crash(`it sent no heartbeat for ${silentSeconds} s, and was killed`));
        child.kill('SIGKILL');
      }, 1000);
      const send = (message: ToTrainer<TrainerTask>, socket?: net.Server): void => {
        if (!isOver && child.connected) child.send(message, socket, () => undefined);
      };
      const sendTask = (): void => {
        // Messages arrive in this order, so the process never computes on a GPU that it does not hold.
        for (const socket of o.leased ?? []) send({ type: 'lease' }, socket);
        send({ type: 'run', task: o.task });
      };
      const end = (): void => {
        isOver = true;
        clearInterval(watch);
        child.off('message', onMessage).off('error', onError).off('close', onClose);
        settle?.();
      };
      const onError = (error: Error): void => {
        settle = () => reject(error);
        end();
      };
      const onClose = (code: number | null, signal: NodeJS.Signals | null): void => {
        settle ??= () => reject(this.#crash(signal ?? `exit code ${code}`));
        end();
      };
      /** Fails the task and ends the process. */
      const fail = (error: unknown): void => {
        settle = () => reject(error instanceof Error ? error : new Error(String(error)));
        child.kill('SIGKILL');
      };
      /** Calls the listener. When it fails, the task fails with its error. */
      const notify = async (listener: () => void | Promise<void>): Promise<void> => {
        try {
          await listener();
        } catch (error) {
          fail(error);
        }
      };
      const handle = (message: FromTrainer<unknown>): void => {
        switch (message.type) {
          case 'ready':
            sendTask();
            break;
          case 'heartbeat':
            o.onHeartbeat?.();
            break;
          case 'progress':
            void notify(() => o.onProgress?.(message.event));
            break;
          case 'committed':
            void notify(async () => {
              await o.onCommitted?.(message.checkpoint);
              send({ type: 'ack', step: message.checkpoint.step });
            });
            break;
          case 'failed':
            settle = () => reject(new RemoteError(message.error));
            break;
          case 'done': {
            const result = checkResult(o.task, message.result);
            settle = () => resolve(result);
            if (!message.waits) return;
            this.#isIdle = true;
            end();
          }
        }
      };
      const onMessage = (message: unknown): void => {
        silentSeconds = 0;
        try {
          handle(checkFromTrainer(message));
        } catch (error) {
          fail(error);
        }
      };
      child.on('message', onMessage).on('error', onError).on('close', onClose);
      if (child.exitCode !== null || child.signalCode !== null) {
        onClose(child.exitCode, child.signalCode);
        return;
      }
      if (this.#isReady) sendTask();
      o.onStarted?.({
        pid: child.pid ?? -1,
        get isOver() {
          return isOver;
        },
        stop: (how) => send({ type: 'stop', how }),
        kill: () => {
          if (!isOver) child.kill('SIGKILL');
        },
      });
    });
  }

  /** Ends the idle process. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    // NOTE: after our own `disconnect`, Node emits `exit` but never `close`.
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.connected) child.disconnect();
    const timeout = setTimeout(() => child.kill('SIGKILL'), endMs);
    await ended;
    clearTimeout(timeout);
  }

  /** Sets whether the child keeps this process's event loop alive. */
  keepAlive(keep: boolean): void {
    const { channel, stdout, stderr } = this.#child;
    for (const handle of [this.#child, channel, stdout, stderr] as ({ ref(): void; unref(): void } | null)[])
      if (keep) handle?.ref();
      else handle?.unref();
  }

  #crash(how: string): TrainerCrashed {
    return new TrainerCrashed(`the trainer process ended without a result: ${how}`, {
      hint: [
        'training is retried from the last checkpoint; SIGKILL often means that the system ran out of memory',
        ...this.#tail,
      ].join('\n'),
    });
  }
}

/** Runs one task in a new process, which has exited when this resolves. @throws as `TrainerProcess.run` */
export async function runTrainer<Task extends TrainerTask>({
  env,
  ...o
}: TaskOptions<Task> & { env?: Record<string, string> }): Promise<TrainerResult<Task>> {
  const trainer = new TrainerProcess(env);
  try {
    return await trainer.run(o);
  } finally {
    if (trainer.isIdle) await trainer.end();
  }
}
