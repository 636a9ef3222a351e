import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '@nautil/config';
import { visibleGpus } from '@nautil/tensorflow/gpu';
import { parseDevices } from '@nautil/training';

/** GPUs that one task has for itself. */
export interface GpuLease {
  /** As CUDA_VISIBLE_DEVICES names them. */
  readonly gpus: readonly string[];

  /** Sockets that hold the names of these GPUs. A process that receives them holds the lease too, until it closes them or ends. */
  readonly sockets: readonly net.Server[];

  /**
   * Sets the GPUs aside for some minutes, because the task failed on them: other GPUs are leased meanwhile. Returns whether there are
   * others.
   */
  setAside(): boolean;

  /** Ends the lease in this process. */
  release(): Promise<void>;
}

export interface LeaseOptions {
  /** Ends the waiting. */
  signal?: AbortSignal | undefined;

  /** Called once if GPUs that others have must be waited for, with a message that states how to find the holders. */
  onWait?: ((message: string) => void) | undefined;
}

export interface GpuLeasesOptions {
  /** The GPUs of this machine; default: those that TensorFlow can use. */
  list?: () => Promise<readonly string[]>;

  /** The start of the names of the locks; only tests need another one. */
  scope?: string;

  /** How long GPUs are set aside; default 10 minutes. */
  asideMs?: number;
}

type Devices = Pick<Config['trainer'], 'accelerator' | 'devices'>;

const pollIntervalMs = 250;

/** The bytes of an abstract socket's name, after the NUL with which it starts: `sun_path` has 108. */
const nameBytes = 107;

/**
 * Assigns GPUs to tasks, so that two trainings on a machine with two GPUs get one each. A lease excludes all of Nautil's processes on this
 * machine, whatever their state folder, and ends when all processes that hold its sockets have ended, however that happens.
 */
export class GpuLeases {
  readonly #list: () => Promise<readonly string[]>;
  readonly #scope: string;
  readonly #asideMs: number;

  /** When each GPU that was set aside can be leased again. */
  readonly #asideUntil = new Map<string, number>();

  constructor({ list = visibleGpus, scope = 'nautil-gpu', asideMs = 600_000 }: GpuLeasesOptions = {}) {
    this.#list = list;
    this.#scope = scope;
    this.#asideMs = asideMs;
  }

  /**
   * Waits for the GPUs that `trainer.devices` asks for: a number of any GPUs, or certain ones.
   *
   * @returns undefined when the task uses no GPU, or asks for GPUs that do not exist, which its process reports
   * @throws the signal's reason when it aborts while waiting
   */
  async lease(devices: Devices, { signal, onWait }: LeaseOptions = {}): Promise<GpuLease | undefined> {
    if (devices.accelerator === 'cpu') return undefined;
    const all = await this.#list();
    const wanted = wantedGpus(devices, all);
    if (wanted === undefined) return undefined;
    const held = new Map<string, net.Server>();
    const release = async (): Promise<void> => {
      await Promise.all(Array.from(held.values(), close));
      held.clear();
    };
    // Tasks that keep one GPU while they wait for another take turns, so that no two wait for each other.
    let turn: net.Server | undefined;
    let reportWait = onWait;
    try {
      for (;;) {
        signal?.throwIfAborted();
        if (wanted.count > 1) turn ??= await holdName(`${this.#scope}-several`);
        if (wanted.count === 1 || turn !== undefined)
          for (const gpu of this.#candidates(wanted)) {
            if (held.size === wanted.count) break;
            const socket = held.has(gpu) ? undefined : await holdName(`${this.#scope}-${gpu}`);
            if (socket !== undefined) held.set(gpu, socket);
          }
        if (held.size === wanted.count) break;
        reportWait?.(waitingMessage(this.#scope));
        reportWait = undefined;
        await sleep(pollIntervalMs, undefined, { signal });
      }
    } catch (error) {
      await release();
      if (signal?.aborted === true) throw signal.reason as Error;
      throw error;
    } finally {
      if (turn !== undefined) await close(turn);
    }
    const gpus = all.filter((gpu) => held.has(gpu));
    return {
      gpus,
      sockets: [...held.values()],
      setAside: () => {
        for (const gpu of gpus) this.#asideUntil.set(gpu, performance.now() + this.#asideMs);
        return all.some((gpu) => !this.#isAside(gpu));
      },
      release,
    };
  }

  /** The GPUs to try, without those that were set aside, unless there are too few others. */
  #candidates({ among, count }: WantedGpus): readonly string[] {
    const sound = among.filter((gpu) => !this.#isAside(gpu));
    return sound.length >= count ? sound : among;
  }

  #isAside(gpu: string): boolean {
    return (this.#asideUntil.get(gpu) ?? -Infinity) > performance.now();
  }
}

interface WantedGpus {
  among: readonly string[];
  count: number;
}

// Any process of the machine can hold a name, so the message blames no training.
const waitingMessage = (scope: string): string =>
  `waiting for a GPU that another process of this machine has leased, usually a training of Nautil: \`sudo ss -xlp | grep ${scope}\` lists the processes; end one that should not be there, or leave its GPU out with CUDA_VISIBLE_DEVICES`;

/** Undefined when the machine does not have what is asked for: a GPU is there once. */
function wantedGpus({ devices }: Devices, all: readonly string[]): WantedGpus | undefined {
  const parsed = parseDevices(devices);
  if (Array.isArray(parsed)) {
    const among = parsed.map((index) => all[index]).filter((gpu) => gpu !== undefined);
    return new Set(among).size === parsed.length ? { among, count: among.length } : undefined;
  }
  const count = parsed === -1 ? all.length : parsed;
  return count >= 1 && count <= all.length ? { among: all, count } : undefined;
}

/**
 * Holds a name on this machine, or returns undefined when another holder has it. The name is that of a Linux abstract socket, which the
 * kernel frees when the last process that has the socket closes it or ends. The processes of a container have names of their own, unless it shares the host's network.
 *
 * NOTE: Node 20 pads a shorter name with NULs to the full length and Node 22 does not, so that they would listen on different names.
 */
function holdName(name: string): Promise<net.Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(`\0${name.padEnd(nameBytes, '.')}`, () => {
      resolve(server);
    });
    server.unref();
  });
}

const close = (server: net.Server): Promise<void> => new Promise((closed) => server.close(() => closed()));

/**
 * The environment of a process that computes on leased GPUs alone. `withLeasedGpus` makes its task ask for as many.
 */
export const leasedEnvironment = ({ gpus }: Pick<GpuLease, 'gpus'>): Record<string, string> => ({
  CUDA_VISIBLE_DEVICES: gpus.join(','),
});

/** A task for a process that sees only leased GPUs, which it numbers from 0. */
export function withLeasedGpus<Task extends { job: { config: Config } }>(
  task: Task,
  { gpus }: Pick<GpuLease, 'gpus'>,
): Task {
  const { job } = task;
  const trainer = { ...job.config.trainer, devices: gpus.length };
  return { ...task, job: { ...job, config: { ...job.config, trainer } } };
}
