import type { GpuIdentity } from './gpu-identity.js';
import { runWithin } from './run-within.js';

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

export interface NvidiaSmiOptions {
  env?: NodeJS.ProcessEnv | undefined;

  /** A card whose driver hangs may block nvidia-smi for minutes, or for ever. Default: 20 s. */
  timeoutMs?: number | undefined;
}

/** Why nvidia-smi failed, or that it is not installed. */
class NvidiaSmiFailed extends Error {}

const fields = ['index', 'name', 'memory.total', 'compute_cap', 'driver_version'];

/** Runs the nvidia-smi on the PATH, which takes a second where no other program keeps the driver initialised. */
export async function runNvidiaSmi(options: NvidiaSmiOptions = {}): Promise<NvidiaSmiResult> {
  try {
    const args = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader,nounits'];
    return { cards: parseCards(await outputOf(args, options)) };
  } catch (error) {
    if (!(error instanceof NvidiaSmiFailed)) throw error;
    return { cards: [], problem: error.message };
  }
}

/** The GPUs that nvidia-smi lists with their UUIDs. Empty when it fails. */
export async function listIdentities(options: NvidiaSmiOptions = {}): Promise<GpuIdentity[]> {
  try {
    return parseIdentities(await outputOf(['--list-gpus'], options));
  } catch (error) {
    if (!(error instanceof NvidiaSmiFailed)) throw error;
    return [];
  }
}

/** What nvidia-smi writes to standard output. @throws NvidiaSmiFailed */
async function outputOf(args: string[], { env, timeoutMs = 20_000 }: NvidiaSmiOptions): Promise<string> {
  try {
    const { stdout } = await runWithin('nvidia-smi', args, { env, timeoutMs });
    return stdout;
  } catch (error) {
    throw new NvidiaSmiFailed(problemOf(error as Error & { code?: unknown; stdout?: string }));
  }
}

function problemOf({ code, message, stdout = '' }: Error & { code?: unknown; stdout?: string }): string {
  if (code === 'ENOENT') return 'nvidia-smi is not installed';
  // It writes most errors to standard output.
  const lines = [...stdout.split('\n'), message.split('\n')[0] ?? ''].filter((line) => line.trim() !== '');
  return lines[0]?.trim() ?? 'nvidia-smi failed';
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

/**
 * Lines such as `GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-…)`, each followed by those of its instances, such as
 * `  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-…)`.
 */
function parseIdentities(text: string): GpuIdentity[] {
  const gpus: { index: number; uuid: string; instances: string[] }[] = [];
  for (const line of text.split('\n')) {
    const [, index, uuid] = /^GPU (\d+): .*\(UUID: (GPU-[\w-]+)\)\s*$/.exec(line) ?? [];
    if (uuid !== undefined) gpus.push({ index: Number(index), uuid, instances: [] });
    const instance = /^\s+MIG .*\(UUID: (MIG-[\w/-]+)\)\s*$/.exec(line)?.[1];
    if (instance !== undefined) gpus.at(-1)?.instances.push(instance);
  }
  return gpus;
}
