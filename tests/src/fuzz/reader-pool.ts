import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Input, Verdict } from './reader-process.js';

/** A reader that computes this long is stuck. Its own time does not depend on what else the machine does. */
const longestCpuMs = 20_000;

/** A reader that waits this long is stuck, too. */
const longestMs = 240_000;

const checkIntervalMs = 2000;

/** Bounds on a reader: TensorFlow alone takes 350 MB. */
export interface Bounds {
  peakBytes: number;

  /** A reader that has grown this far is replaced before the next file. */
  restartBytes: number;
}

/** The verdict on a file, with what the reader could not report itself: that it crashed, hung, or took too much memory. */
export interface Judgement {
  verdict?: Verdict;

  /** Why the file is a finding; undefined when it was accepted, or rejected with a typed error. */
  finding?: string;
}

/** A process that reads files one at a time, and is started again after each end. */
export class ReaderProcess {
  readonly #folder: string;
  readonly #bounds: Bounds;
  #child: ChildProcess | undefined;
  #complaints = '';

  constructor(folder: string, bounds: Bounds) {
    this.#folder = folder;
    this.#bounds = bounds;
  }

  async judge(input: Input): Promise<Judgement> {
    const child = this.#child ?? (await this.#start());
    const reply = this.#nextMessage(child);
    child.send(input);
    const verdict = await reply;
    if (typeof verdict === 'string') {
      await this.close();
      return { finding: `${verdict}\n${this.#complaints.slice(-3000)}` };
    }
    const { outcome, detail = '', peakBytes } = verdict;
    if (peakBytes > this.#bounds.restartBytes) await this.close();
    if (outcome === undefined) return { verdict, finding: detail };
    if (peakBytes > this.#bounds.peakBytes) return { verdict, finding: `${peakBytes} bytes of memory (${outcome})` };
    return { verdict };
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL('reader-process.ts', import.meta.url)), [this.#folder], {
      execArgv: ['--import', 'tsx', '--max-old-space-size=512'],
      env: { ...process.env, NODE_OPTIONS: '', TF_CPP_MIN_LOG_LEVEL: '3' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#complaints = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-10_000);
    });
    const ready = await this.#nextMessage(child);
    if (typeof ready === 'string' && ready !== 'ready')
      throw new Error(`a reader does not start: ${ready}\n${this.#complaints}`);
    return (this.#child = child);
  }

  /** The next message, or why there is none. */
  async #nextMessage(child: ChildProcess): Promise<Verdict | string> {
    return new Promise((resolve) => {
      const startMs = Date.now();
      const startCpuMs = cpuMsOf(child);
      const end = (reply: Verdict | string): void => {
        clearInterval(timer);
        child.off('message', end).off('exit', onExit);
        resolve(reply);
      };
      const onExit = (code: number | null, signal: string | null): void =>
        end(`the reader ended with ${signal ?? code}`);
      const timer = setInterval(() => {
        const cpuMs = cpuMsOf(child) - startCpuMs;
        if (cpuMs > longestCpuMs) end(`no answer after ${cpuMs} ms of computing`);
        else if (Date.now() - startMs > longestMs) end(`no answer within ${longestMs} ms`);
      }, checkIntervalMs);
      child.on('message', end).on('exit', onExit);
    });
  }
}

/** The processor time that a process has used; 0 once it has ended. */
function cpuMsOf({ pid }: ChildProcess): number {
  try {
    // The name of the program, in parentheses, may contain spaces. Times are in hundredths of a second.
    const [, , , , , , , , , , , user, system] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(user) + Number(system)) * 10;
  } catch {
    return 0;
  }
}
