import { existsSync } from 'node:fs';
import { type Config, readProcessor } from '@nautil/config';
import { Graph, Session } from '@nautil/tensorflow';
import { precisionOf } from './precision-of.js';

export interface ChosenDevice {
  /** TensorFlow's name, such as `/device:GPU:1`. */
  name: string;

  /** The number of GPUs that TensorFlow finds. */
  gpus: number;

  /** The requests of the configuration that cannot be met. */
  warnings: string[];
}

/**
 * The device of a run: the first GPU in `trainer.devices`, or the CPU if TensorFlow finds no GPU. That is not an error, because
 * NeMo's default accelerator is gpu.
 */
export function chooseDevice(
  trainer: Pick<Config['trainer'], 'accelerator' | 'devices' | 'precision'>,
  { intra_op_threads }: Pick<Config['nautil'], 'intra_op_threads'>,
  processor = readProcessor(),
): ChosenDevice {
  const { accelerator, devices } = trainer;
  const gpus = countGpus(intra_op_threads);
  const wantedDevices = parseDevices(devices);
  if (accelerator === 'cpu' || gpus === 0) {
    const isRequested = accelerator === 'gpu' || accelerator === 'cuda';
    return {
      name: '/device:CPU:0',
      gpus,
      warnings: [
        ...(isRequested ? ['TensorFlow finds no GPU: training on the processor'] : []),
        ...(isDefault(devices)
          ? []
          : [
              `trainer.devices is ${JSON.stringify(devices)}, which has no effect: it selects a GPU, and the processor trains`,
            ]),
        ...(precisionOf(trainer) === 'float32' || processor.hasBfloat16
          ? []
          : [
              `trainer.precision is ${trainer.precision}, and the processor (${processor.instructions}) has no instructions for bfloat16: the steps are slower than with trainer.precision=32`,
            ]),
      ],
    };
  }
  const [wanted = 0, ...others] = Array.isArray(wantedDevices) ? wantedDevices : [0];
  const several = Array.isArray(wantedDevices)
    ? others.length > 0
    : wantedDevices > 1 || (wantedDevices === -1 && gpus > 1);
  const index = Math.min(wanted, gpus - 1);
  return {
    name: `/device:GPU:${index}`,
    gpus,
    warnings: [
      ...(index === wanted ? [] : [`there is no GPU ${wanted}, but ${gpus} in all: training on GPU ${index}`]),
      ...(several
        ? [
            `trainer.devices asks for several devices: training on GPU ${index} alone, with the batch size of one device`,
          ]
        : []),
    ],
  };
}

/** Whether the value is the one that Nautil's or Lightning's files have: nobody asked for a device with it. */
const isDefault = (devices: Config['trainer']['devices']): boolean =>
  [1, '1', 'auto'].some((value) => value === devices);

/** Lightning's notations: 2 or '2' (a count), [0, 1] or '0,1' (indexes), and -1 or auto (all devices). */
export function parseDevices(devices: Config['trainer']['devices']): number | number[] {
  if (typeof devices !== 'string') return devices;
  if (devices === 'auto') return -1;
  return devices.includes(',') ? devices.split(',').map(Number) : Number(devices);
}

/** Whether a run uses a GPU. Its process then holds the GPU's memory until it exits. */
export const usesGpu = ({ trainer, nautil }: Pick<Config, 'trainer' | 'nautil'>): boolean =>
  chooseDevice(trainer, nautil).name.includes('GPU');

/** Whether TensorFlow computes on a GPU by default. TensorFlow is loaded only if a GPU's driver is. */
export const findsGpu = (): boolean =>
  ['/dev/nvidiactl', '/dev/dxg'].some((device) => existsSync(device)) && countGpus(0) > 0;

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
