import { chooseDevice } from './choose-device.js';

// The library of the tests has no CUDA, so there is a processor and nothing else.
const threads = { intraOpThreads: 0 };

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
