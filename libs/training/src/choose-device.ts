import type { Config } from '@nautil/config';
import { Graph, Session } from '@nautil/tensorflow';

export interface ChosenDevice {
  /** TensorFlow's name, such as `/device:GPU:1`. */
  name: string;

  /** The requests of the configuration that cannot be met. */
  warnings: string[];
}

/**
 * The device of a run: the first GPU in `trainer.devices`, or the CPU if TensorFlow finds no GPU. That is not an error, because
 * NeMo's default accelerator is gpu.
 */
export function chooseDevice(
  { accelerator, devices }: Pick<Config['trainer'], 'accelerator' | 'devices'>,
  { intra_op_threads }: Pick<Config['nautil'], 'intra_op_threads'>,
): ChosenDevice {
  const cpu = '/device:CPU:0';
  if (accelerator === 'cpu') return { name: cpu, warnings: [] };
  const gpus = countGpus(intra_op_threads);
  if (gpus === 0) {
    const isRequested = accelerator === 'gpu' || accelerator === 'cuda';
    return { name: cpu, warnings: isRequested ? ['TensorFlow finds no GPU: training on the processor'] : [] };
  }
  const wantedDevices = parseDevices(devices);
  const [wanted = 0, ...others] = Array.isArray(wantedDevices) ? wantedDevices : [0];
  const several = others.length > 0 || (!Array.isArray(wantedDevices) && wantedDevices > 1);
  const index = Math.min(wanted, gpus - 1);
  return {
    name: `/device:GPU:${index}`,
    warnings: [
      ...(index === wanted ? [] : [`there is no GPU ${wanted}, but ${gpus} in all: training on GPU ${index}`]),
      ...(several
        ? [`trainer.devices asks for several: training on GPU ${index} alone, with the batch size of one device`]
        : []),
    ],
  };
}

/** Lightning's notations: 2 or '2' (a count), [0, 1] or '0,1' (indexes), and -1 or auto (all devices). */
export function parseDevices(devices: Config['trainer']['devices']): number | number[] {
  if (typeof devices !== 'string') return devices;
  if (devices === 'auto') return -1;
  return devices.includes(',') ? devices.split(',').map(Number) : Number(devices);
}

/** Whether a run uses a GPU. Its process then holds the GPU's memory until it exits. */
export const usesGpu = ({ trainer, nautil }: Pick<Config, 'trainer' | 'nautil'>): boolean =>
  chooseDevice(trainer, nautil).name.includes('GPU');

/** NOTE: the first session of a process sets the number of threads for all sessions. */
function countGpus(intraOpThreads: number): number {
  const graph = new Graph();
  const session = new Session(graph, { intraOpThreads });
  try {
    return session.devices().filter(({ type }) => type === 'GPU').length;
  } finally {
    session.close();
    graph.close();
  }
}
