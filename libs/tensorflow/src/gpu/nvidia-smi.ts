import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A GPU as nvidia-smi lists it. */
export interface NvidiaCard {
  /** Its number in the order of the PCI bus, as in `trainer.devices`. */
  index: number;
  name: string;
  memoryMiB: number;

  /** Such as `9.0`; absent: the driver is too old to tell. */
  computeCapability?: string | undefined;
  driver: string;
}

export interface NvidiaSmiResult {
  cards: NvidiaCard[];

  /** Why it failed, or that it is not installed. */
  problem?: string;
}

/** A card whose driver hangs may block nvidia-smi for minutes. */
const timeoutMs = 20_000;

const fields = ['index', 'name', 'memory.total', 'compute_cap', 'driver_version'];

/** Runs the nvidia-smi on the PATH, which takes a second where no other program keeps the driver initialised. */
export async function runNvidiaSmi(env: NodeJS.ProcessEnv = process.env): Promise<NvidiaSmiResult> {
  try {
    const args = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
    const options = { env, timeout: timeoutMs, killSignal: 'SIGKILL' } as const;
    const { stdout } = await promisify(execFile)('nvidia-smi', args, options);
    return { cards: parseCards(stdout) };
  } catch (error) {
    return { cards: [], problem: problemOf(error as NodeJS.ErrnoException & { stdout?: string; killed?: boolean }) };
  }
}

function problemOf(error: NodeJS.ErrnoException & { stdout?: string; killed?: boolean }): string {
  if (error.code === 'ENOENT') return 'nvidia-smi is not installed';
  if (error.killed === true) return `nvidia-smi did not answer within ${timeoutMs / 1000} s`;
  // It writes most errors to standard output.
  const lines = (error.stdout ?? '').split('\n').filter((line) => line.trim() !== '');
  return lines[0]?.trim() ?? error.message.split('\n')[0] ?? 'nvidia-smi failed';
}

/** Lines such as `0, NVIDIA H100 80GB HBM3, 81559, 9.0, 550.54.15`. */
function parseCards(csv: string): NvidiaCard[] {
  return csv.split('\n').flatMap((line) => {
    const [index = '', name = '', memory = '', capability = '', driver = ''] = line
      .split(',')
      .map((part) => part.trim());
    if (!/^\d+$/.test(index)) return [];
    return [
      {
        index: Number(index),
        name,
        memoryMiB: Number.parseInt(memory, 10) || 0,
        ...(/^\d+\.\d+$/.test(capability) ? { computeCapability: capability } : {}),
        driver,
      },
    ];
  });
}
