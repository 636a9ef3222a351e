import { expect, test } from '@jest/globals';
import { describeGpu } from './describe-gpu.js';

test('a GPU has the name, the memory and the compute capability that TensorFlow lists', () => {
  const device = { name: '/job:localhost/replica:0/task:0/device:GPU:1', type: 'GPU', memoryBytes: 14_626_652_160 };
  const description = 'device: 1, name: Tesla T4, pci bus id: 0000:00:04.0, compute capability: 7.5';
  expect(describeGpu({ ...device, description })).toBe('GPU:1, Tesla T4, 14.6 GB, compute capability 7.5');
  expect(describeGpu(device)).toBe('GPU:1, 14.6 GB');
});
