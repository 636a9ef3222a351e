import { chooseDevice, parseDevices } from './choose-device.js';
import { expect, test } from '@jest/globals';

// The library of the tests has no CUDA, so there is a processor and nothing else.
const threads = { intra_op_threads: 0 };

test('the processor is taken without a word when it is asked for, or when nothing is', () => {
  for (const accelerator of ['cpu', 'auto'] as const) {
    expect(chooseDevice({ accelerator, devices: 1 }, threads)).toEqual({ name: '/device:CPU:0', warnings: [] });
  }
});

test('a GPU that is asked for and not there is said, and the processor taken', () => {
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
])('devices %j are read as Lightning reads them', (written, devices) => {
  expect(parseDevices(written)).toEqual(devices);
});
