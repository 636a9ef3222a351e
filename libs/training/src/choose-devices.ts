import { availableParallelism } from 'node:os';
import { type Config, type Processor, readProcessor } from '@nautil/config';
import { Graph, Session } from '@nautil/tensorflow';
import { hasGpuDevice } from '@nautil/tensorflow/gpu';
import { describeGpu } from './describe-gpu.js';
import { DevicesMissing } from './errors.js';
import { lacksGpu, requireGpu, withoutGpu } from './gpu-unavailable.js';
import { isGpu, precisionOf } from './precision-of.js';

const cpu = '/device:CPU:0';

export interface ChosenDevices {
  /** TensorFlow's names, such as `/device:GPU:1`. Each device computes an equal share of every batch. */
  names: [string, ...string[]];

  /** The GPUs that TensorFlow lists, as `describeGpu` formats them. */
  gpus: string[];

  /** Why the processor trains although `trainer.accelerator` does not ask for it. */
  noGpu?: string | undefined;

  /** The requests of the configuration that cannot be met. */
  warnings: string[];
}

/**
 * The devices of a run, as Lightning chooses them: `trainer.devices` is a number of devices, a list of GPUs, or all GPUs. The CPU if TensorFlow
 * lists no GPU.
 *
 * @throws DevicesMissing when there are fewer; GpuUnavailable when there is none and `trainer.accelerator` requires one
 */
export function chooseDevices(
  trainer: Pick<Config['trainer'], 'accelerator' | 'devices' | 'precision'>,
  { intra_op_threads }: Pick<Config['nautil'], 'intra_op_threads'>,
  { processor = readProcessor(), gpus = listGpus(intra_op_threads) } = {},
): ChosenDevices {
  const { accelerator, devices } = trainer;
  if (accelerator === 'cpu' || gpus.length === 0) {
    const noGpu = gpus.length === 0 ? withoutGpu(trainer) : undefined;
    const names = devicesOfCpu(devices);
    return {
      names,
      gpus,
      noGpu,
      warnings: [
        ...(names.length === 1
          ? []
          : [
              `trainer.devices is ${names.length}, and the devices of the processor share its cores: one device with ${names.length} times the batch size takes the same steps, at least as fast`,
            ]),
        ...precisionWarnings(trainer, processor),
      ],
    };
  }
  return { names: devicesOfGpus(devices, gpus.length), gpus, warnings: [] };
}

/**
 * The device that evaluates the weights of a run, maybe on another machine than the one that trained them: the first device of the configuration, or
 * the first of the machine if that does not exist.
 */
export function evaluationDevice(
  { accelerator, devices }: Pick<Config['trainer'], 'accelerator' | 'devices'>,
  { intra_op_threads }: Pick<Config['nautil'], 'intra_op_threads'>,
  gpus = listGpus(intra_op_threads).length,
): string {
  if (accelerator === 'cpu' || gpus === 0) return cpu;
  const wanted = parseDevices(devices);
  const first = Array.isArray(wanted) ? (wanted[0] ?? 0) : 0;
  return `/device:GPU:${first < gpus ? first : 0}`;
}

/** What a 16-bit precision means on a processor. */
function precisionWarnings(
  trainer: Pick<Config['trainer'], 'precision'>,
  { instructions, hasBfloat16 }: Processor,
): string[] {
  const { precision } = trainer;
  const used = precisionOf(trainer, cpu);
  if (used === 'float16')
    return [`trainer.precision is ${precision}, and a processor has no fast float16: the steps are slow`];
  const isOther = used === 'bfloat16' && precisionOf(trainer, '/device:GPU:0') === 'float16';
  const read = isOther ? `, which is bf16-mixed on a processor` : '';
  if (used === 'bfloat16' && !hasBfloat16)
    return [
      `trainer.precision is ${precision}${read}, and the processor (${instructions}) has no instructions for bfloat16: the steps are slower than with trainer.precision=32`,
    ];
  return isOther ? [`trainer.precision is ${precision}${read}`] : [];
}

/** Each device of the processor has its own copy of the weights and moments, and none makes a step faster. */
const mostDevicesOfCpu = Math.max(8, availableParallelism());

/**
 * Finds early, without loading TensorFlow, that this machine cannot train as configured: the GPU that it requires is missing, or the
 * processor, which then trains, has no such devices.
 *
 * @throws GpuUnavailable, DevicesMissing
 */
export function requireDevices(trainer: Pick<Config['trainer'], 'accelerator' | 'devices'>): void {
  requireGpu(trainer);
  if (trainer.accelerator === 'cpu' || lacksGpu()) devicesOfCpu(trainer.devices);
}

function devicesOfCpu(devices: Config['trainer']['devices']): [string, ...string[]] {
  const wanted = devices === 'auto' ? 1 : parseDevices(devices);
  if (Array.isArray(wanted) || wanted < 1) {
    const count = Array.isArray(wanted) ? wanted.length : 1;
    throw new DevicesMissing(
      `trainer.devices is ${JSON.stringify(devices)}, which selects GPUs, and the processor trains`,
      { hint: `write a number of devices: trainer.devices=${count}`, setting: `trainer.devices=${count}` },
    );
  }
  if (wanted > mostDevicesOfCpu)
    throw new DevicesMissing(
      `trainer.devices is ${JSON.stringify(devices)}, and the processor, which trains, is shared by at most ${mostDevicesOfCpu} devices`,
      {
        hint: 'set trainer.devices to 1: its devices share the cores, so that more of them make no step faster',
        setting: 'trainer.devices=1',
      },
    );
  const others = Array.from({ length: wanted - 1 }, (_, index) => `/device:CPU:${index + 1}`);
  return [cpu, ...others];
}

function devicesOfGpus(devices: Config['trainer']['devices'], gpus: number): [string, ...string[]] {
  const wanted = parseDevices(devices);
  const indexes = Array.isArray(wanted) ? wanted : Array.from({ length: wanted === -1 ? gpus : wanted }, (_, i) => i);
  if (indexes.some((index) => index >= gpus))
    throw new DevicesMissing(
      `trainer.devices is ${JSON.stringify(devices)}, and TensorFlow finds ${gpus === 1 ? 'one GPU, GPU 0' : `${gpus} GPUs, GPU 0 to GPU ${gpus - 1}`}`,
      { hint: `set trainer.devices to ${gpus} or less, or to -1 for all GPUs`, setting: 'trainer.devices=-1' },
    );
  const [first, ...others] = indexes.map((index) => `/device:GPU:${index}`);
  return [first!, ...others];
}

/** Lightning's notations: 2 or '2' (a count), [0, 1] or '0,1' (indexes), and -1 or auto (all devices). */
export function parseDevices(devices: Config['trainer']['devices']): number | number[] {
  if (typeof devices !== 'string') return devices;
  if (devices === 'auto') return -1;
  return devices.includes(',') ? devices.split(',').map(Number) : Number(devices);
}

/** Number of devices that train, as far as the configuration states it: all GPUs of a machine, however many, count as one. */
export function statedDevices({ devices, num_nodes }: Pick<Config['trainer'], 'devices' | 'num_nodes'>): number {
  const parsed = parseDevices(devices);
  return num_nodes * (Array.isArray(parsed) ? parsed.length : Math.max(1, parsed));
}

/** Whether a run or its evaluation uses a GPU of this machine. Its process then holds the GPU's memory until it exits. */
export const usesGpu = ({ trainer, nautil }: Pick<Config, 'trainer' | 'nautil'>): boolean =>
  isGpu(evaluationDevice(trainer, nautil));

/** Whether TensorFlow computes on a GPU by default. TensorFlow is loaded only if a GPU's driver is. */
export const findsGpu = (): boolean => hasGpuDevice() && listGpus(0).length > 0;

/** Each GPU in a line. NOTE: the first session of a process sets the number of threads for all sessions. */
function listGpus(intraOpThreads: number): string[] {
  const graph = new Graph();
  const session = new Session(graph, { intraOpThreads });
  try {
    return session
      .devices()
      .filter(({ type }) => type === 'GPU')
      .map(describeGpu);
  } finally {
    session.close();
    graph.close();
  }
}
