import type { Config } from '@nautil/config';
import { Graph, Session } from '@nautil/tensorflow';

export interface ChosenDevice {
  /** TensorFlow's name, e.g. `/device:GPU:1`. */
  name: string;

  /** What the configuration asked for and does not get. */
  warnings: string[];
}

/**
 * Where a run computes: on the GPU that `trainer.devices` names first, or on the processor where TensorFlow finds none. The
 * accelerator of NeMo's defaults is gpu, so a machine without one is no error.
 */
export function chooseDevice(
  { accelerator, devices }: Pick<Config['trainer'], 'accelerator' | 'devices'>,
  { intra_op_threads }: Pick<Config['nautil'], 'intra_op_threads'>,
): ChosenDevice {
  const cpu = '/device:CPU:0';
  if (accelerator === 'cpu') return { name: cpu, warnings: [] };
  const gpus = countGpus(intra_op_threads);
  if (gpus === 0) {
    const asked = accelerator === 'gpu' || accelerator === 'cuda';
    return { name: cpu, warnings: asked ? ['TensorFlow finds no GPU: training on the processor'] : [] };
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

/** Lightning's spellings: 2, [0, 1], '2' (a count), '0,1' (indexes), and auto for all there are, which is written -1 too. */
export function parseDevices(devices: Config['trainer']['devices']): number | number[] {
  if (typeof devices !== 'string') return devices;
  if (devices === 'auto') return -1;
  return devices.includes(',') ? devices.split(',').map(Number) : Number(devices);
}

/** Whether a run computes on a GPU, whose memory its process then holds until it ends. */
export const usesGpu = ({ trainer, nautil }: Pick<Config, 'trainer' | 'nautil'>): boolean =>
  chooseDevice(trainer, nautil).name.includes('GPU');

/** NOTE: the first session of a process decides about the threads of all. */
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
