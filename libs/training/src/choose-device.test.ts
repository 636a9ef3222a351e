import { expect, test } from '@jest/globals';
import { chooseDevice, parseDevices } from './choose-device.js';

// The tests' TensorFlow has no CUDA, so the CPU is the only device.
const threads = { intra_op_threads: 0 };

test('the CPU is chosen without a warning when it is requested, and with accelerator=auto', () => {
  for (const accelerator of ['cpu', 'auto'] as const) {
    expect(chooseDevice({ accelerator, devices: 1 }, threads)).toEqual({ name: '/device:CPU:0', warnings: [] });
  }
});

test('a missing GPU is reported with a warning, and the CPU is chosen', () => {
  expect(chooseDevice({ accelerator: 'gpu', devices: [1] }, threads)).toEqual({
    name: '/device:CPU:0',
    warnings: ['TensorFlow finds no GPU: training on the processor'],
  });
});

test.each<[string | number[], number | number[]]>([
  ['auto', -1],
  ['2', 2],
  ['0,2', [0, 2]],
  [[1], [1]],
])('devices %j are parsed as in Lightning', (written, devices) => {
  expect(parseDevices(written)).toEqual(devices);
});
