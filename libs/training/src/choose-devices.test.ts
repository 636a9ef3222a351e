import { expect, test } from '@jest/globals';
import { loadConfig } from '@nautil/config';
import {
  chooseDevices,
  evaluationDevice,
  parseDevices,
  requireDevices,
  statedDevices,
  usesGpu,
} from './choose-devices.js';
import { DevicesMissing } from './errors.js';
import { GpuUnavailable } from './gpu-unavailable.js';

// These tests run where TensorFlow lists no GPU.
const threads = { intra_op_threads: 0 };

/** What TensorFlow lists on a machine with that many GPUs. */
const machineWith = (gpus: number) => ({ gpus: Array.from({ length: gpus }, (_, index) => `GPU:${index}`) });

const cpu = { names: ['/device:CPU:0'], gpus: [], warnings: [] };

test('the CPU is chosen without a remark when it is requested', () => {
  expect(chooseDevices({ accelerator: 'cpu', devices: 1, precision: 32 }, threads)).toEqual(cpu);
});

test.each(['auto', null] as const)(
  'with accelerator=%j, the CPU is chosen where there is no GPU, and the reason is stated',
  (accelerator) => {
    const noGpu = expect.stringMatching(/NVIDIA/);
    expect(chooseDevices({ accelerator, devices: 1, precision: 32 }, threads)).toEqual({ ...cpu, noGpu });
  },
);

test.each(['gpu', 'cuda'] as const)(
  'accelerator=%s without a GPU is an error that states what is missing, its remedy, and how to train on the processor',
  (accelerator) => {
    const choose = () => chooseDevices({ accelerator, devices: 'auto', precision: 32 }, threads);
    expect(choose).toThrow(GpuUnavailable);
    expect(choose).toThrow(
      expect.objectContaining({
        kind: 'environment',
        retryable: false,
        message: expect.stringMatching(
          new RegExp(`^trainer.accelerator=${accelerator}, and no GPU can be used: .*NVIDIA`),
        ),
        hint: expect.stringMatching(/^.+\n(?:.*\n)*to train on the processor: trainer\.accelerator=auto, or cpu/),
        setting: 'trainer.accelerator=auto',
      }),
    );
    expect(() => requireDevices({ accelerator, devices: 1 })).toThrow(GpuUnavailable); // before TensorFlow is loaded, too
  },
);

test.each(['cpu', 'auto', null] as const)('accelerator=%j requires no GPU', (accelerator) => {
  expect(() => requireDevices({ accelerator, devices: 'auto' })).not.toThrow();
});

test.each<[number | string, string[]]>([
  [1, ['/device:CPU:0']],
  ['auto', ['/device:CPU:0']],
  [3, ['/device:CPU:0', '/device:CPU:1', '/device:CPU:2']],
  ['2', ['/device:CPU:0', '/device:CPU:1']],
])('on the processor, devices=%j is a number of devices that share its cores', (devices, names) => {
  const chosen = chooseDevices({ accelerator: 'cpu', devices, precision: 32 }, threads);
  expect(chosen.names).toEqual(names);
  expect(chosen.warnings).toEqual(
    names.length === 1
      ? []
      : [
          `trainer.devices is ${names.length}, and the devices of the processor share its cores: one device with ${names.length} times the batch size takes the same steps, at least as fast`,
        ],
  );
});

test.each<[number | string | number[]]>([[-1], ['-1'], ['0,1'], [[1]], [[0, 1]]])(
  'on the processor, devices=%j is an error, because it selects GPUs',
  (devices) => {
    for (const accelerator of ['cpu', 'auto'] as const)
      expect(() => chooseDevices({ accelerator, devices, precision: 32 }, threads)).toThrow(
        `trainer.devices is ${JSON.stringify(devices)}, which selects GPUs, and the processor trains`,
      );
  },
);

test.each<[number | string | number[], string]>([
  [-1, 'trainer.devices=1'],
  [[0, 1], 'trainer.devices=2'],
  ['0,1,2', 'trainer.devices=3'],
  [99, 'trainer.devices=1'],
  [100_000, 'trainer.devices=1'],
  ['5000', 'trainer.devices=1'],
])('devices=%j, which the processor does not have, is an error before TensorFlow is loaded', (devices, setting) => {
  for (const accelerator of ['cpu', 'auto', null] as const) {
    const require = () => requireDevices({ accelerator, devices });
    expect(require).toThrow(DevicesMissing);
    expect(require).toThrow(expect.objectContaining({ setting, hint: expect.stringContaining('trainer.devices') }));
  }
});

test.each<[number | string | number[], number, number[]]>([
  [1, 4, [0]],
  [2, 4, [0, 1]],
  [-1, 4, [0, 1, 2, 3]],
  ['auto', 2, [0, 1]],
  [[1, 3], 4, [1, 3]],
  ['0,2', 3, [0, 2]],
])('devices=%j selects of %i GPUs: %j', (devices, gpus, indexes) => {
  for (const accelerator of ['gpu', 'auto', null] as const)
    expect(chooseDevices({ accelerator, devices, precision: 32 }, threads, machineWith(gpus)).names).toEqual(
      indexes.map((index) => `/device:GPU:${index}`),
    );
});

test.each<[number | string | number[], number, string]>([
  [2, 1, 'trainer.devices is 2, and TensorFlow finds one GPU, GPU 0'],
  ['5', 4, 'trainer.devices is "5", and TensorFlow finds 4 GPUs, GPU 0 to GPU 3'],
  [[0, 2], 2, 'trainer.devices is [0,2], and TensorFlow finds 2 GPUs, GPU 0 to GPU 1'],
])('devices=%j of %i GPUs is an error', (devices, gpus, message) => {
  expect(() => chooseDevices({ accelerator: 'gpu', devices, precision: 32 }, threads, machineWith(gpus))).toThrow(
    message,
  );
});

test.each<[number | string | number[], number, string]>([
  [4, 4, '/device:GPU:0'],
  [[2, 3], 4, '/device:GPU:2'],
  [[2, 3], 1, '/device:GPU:0'],
  [-1, 2, '/device:GPU:0'],
  [[2, 3], 0, '/device:CPU:0'],
])('weights that devices=%j have trained are evaluated on a machine with %i GPUs, too', (devices, gpus, name) => {
  expect(evaluationDevice({ accelerator: 'gpu', devices }, threads, gpus)).toBe(name);
});

test.each([8, [0, 7], -1])(
  'weights that GPUs trained, with devices=%j, are evaluated on a processor, and the process knows that it holds no GPU',
  async (devices) => {
    const { config } = await loadConfig({
      overrides: ['trainer.accelerator=gpu', `trainer.devices=${JSON.stringify(devices)}`],
    });
    expect(evaluationDevice(config.trainer, config.nautil)).toBe('/device:CPU:0');
    expect(usesGpu(config)).toBe(false);
  },
);

test.each<[number | string | number[], number, number]>([
  [1, 1, 1],
  [2, 3, 6],
  [[0, 5], 2, 4],
  ['auto', 1, 1],
  [-1, 2, 2],
])('devices=%j on %i machines are stated to be %i devices', (devices, num_nodes, count) => {
  expect(statedDevices({ devices, num_nodes })).toBe(count);
});

test.each(['bf16', 'bf16-mixed', 32] as const)(
  'on a processor without bfloat16 instructions, a 16-bit precision gives a warning: %s',
  (precision) => {
    const warningsWith = (hasBfloat16: boolean): string[] =>
      chooseDevices({ accelerator: 'cpu', devices: 1, precision }, threads, {
        processor: { instructions: 'AVX2', hasBfloat16 },
      }).warnings;
    expect(warningsWith(true)).toEqual([]);
    expect(warningsWith(false)).toEqual(
      precision === 32
        ? []
        : [
            `trainer.precision is ${precision}, and the processor (AVX2) has no instructions for bfloat16: the steps are slower than with trainer.precision=32`,
          ],
    );
  },
);

test.each([16, '16', '16-mixed'] as const)('precision %s is bf16-mixed on a processor, with a warning', (precision) => {
  const warningsWith = (hasBfloat16: boolean): string[] =>
    chooseDevices({ accelerator: 'auto', devices: 1, precision }, threads, {
      processor: { instructions: 'AVX2', hasBfloat16 },
      gpus: [],
    }).warnings;
  const read = `trainer.precision is ${precision}, which is bf16-mixed on a processor`;
  expect(warningsWith(true)).toEqual([read]);
  expect(warningsWith(false)).toEqual([
    `${read}, and the processor (AVX2) has no instructions for bfloat16: the steps are slower than with trainer.precision=32`,
  ]);
  expect(chooseDevices({ accelerator: 'auto', devices: 1, precision }, threads, machineWith(1)).warnings).toEqual([]);
});

test.each<[string | number[], number | number[]]>([
  ['auto', -1],
  ['2', 2],
  ['0,2', [0, 2]],
  [[1], [1]],
])('devices %j are parsed as in Lightning', (written, devices) => {
  expect(parseDevices(written)).toEqual(devices);
});
