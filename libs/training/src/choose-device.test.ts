import { expect, test } from '@jest/globals';
import { chooseDevice, parseDevices } from './choose-device.js';

// The tests' TensorFlow has no CUDA, so the CPU is the only device.
const threads = { intra_op_threads: 0 };

test('the CPU is chosen without a warning when it is requested, and with accelerator=auto', () => {
  for (const accelerator of ['cpu', 'auto'] as const) {
    expect(chooseDevice({ accelerator, devices: 1, precision: 32 }, threads)).toEqual({
      name: '/device:CPU:0',
      gpus: 0,
      warnings: [],
    });
  }
});

test('a missing GPU is reported with a warning, and the CPU is chosen', () => {
  expect(chooseDevice({ accelerator: 'gpu', devices: 'auto', precision: 32 }, threads)).toEqual({
    name: '/device:CPU:0',
    gpus: 0,
    warnings: ['TensorFlow finds no GPU: training on the processor'],
  });
});

test.each<[number | string | number[]]>([[-1], ['-1'], [2], ['0,1'], [[1]], [[0, 1]]])(
  'on a CPU, a warning states that devices=%j has no effect',
  (devices) => {
    const has = `trainer.devices is ${JSON.stringify(devices)}, which has no effect: it selects a GPU, and the processor trains`;
    expect(chooseDevice({ accelerator: 'cpu', devices, precision: 32 }, threads).warnings).toEqual([has]);
    expect(chooseDevice({ accelerator: 'gpu', devices, precision: 32 }, threads).warnings).toContain(has);
  },
);

test.each(['bf16', 'bf16-mixed', 32] as const)(
  'on a processor without bfloat16 instructions, a 16-bit precision gives a warning: %s',
  (precision) => {
    const warningsWith = (hasBfloat16: boolean): string[] =>
      chooseDevice({ accelerator: 'cpu', devices: 1, precision }, threads, { instructions: 'AVX2', hasBfloat16 })
        .warnings;
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

test.each<[string | number[], number | number[]]>([
  ['auto', -1],
  ['2', 2],
  ['0,2', [0, 2]],
  [[1], [1]],
])('devices %j are parsed as in Lightning', (written, devices) => {
  expect(parseDevices(written)).toEqual(devices);
});
