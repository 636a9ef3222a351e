import { expect, test } from '@jest/globals';
import type { GpuFacts } from '@nautil/tensorflow/gpu';
import { gpuFindings, parseInspection, type TensorFlowInspection } from './diagnose-gpu.js';

const cpu = {
  name: '/job:localhost/replica:0/task:0/device:CPU:0',
  type: 'CPU',
  memoryBytes: 268_435_456,
  description: '',
};
const nothing: GpuFacts = { deviceFiles: [], hasCard: false, isContainer: false, build: 'cpu', libraries: [] };
const cpuBuild: TensorFlowInspection = {
  version: '2.21.0',
  library: '/state/tensorflow/2.21.0/libtensorflow_cc.so.2',
  build: 'cpu',
  devices: [cpu],
  libraries: [],
};
const card = {
  index: 0,
  name: 'NVIDIA H100 80GB HBM3',
  memoryMiB: 81_559,
  computeCapability: '9.0',
  driver: '550.54.15',
};
const withCard: GpuFacts = {
  ...nothing,
  driver: '550.54.15',
  deviceFiles: ['/dev/nvidia0', '/dev/nvidiactl'].map((path) => ({ path, isAccessible: true })),
  hasCard: true,
  cards: [card],
};
const cudaBuild: TensorFlowInspection = {
  ...cpuBuild,
  library: '/state/tensorflow/2.21.0-gpu/libtensorflow_cc.so.2',
  build: 'cuda',
  devices: [
    cpu,
    {
      name: '/job:localhost/replica:0/task:0/device:GPU:0',
      type: 'GPU',
      memoryBytes: 78 * 2 ** 30,
      description: 'device: 0, name: NVIDIA H100 80GB HBM3, pci bus id: 0000:1b:00.0, compute capability: 9.0',
    },
  ],
  libraries: [
    { name: 'libcudart.so.12', path: '/state/tensorflow/nvidia/cuda_runtime/lib/libcudart.so.12' },
    { name: 'libcublas.so.12', path: '/state/tensorflow/nvidia/cublas/lib/libcublas.so.12' },
    { name: 'libnccl.so.2', path: '/usr/lib/x86_64-linux-gnu/libnccl.so.2' },
  ],
};

const shown = (facts: GpuFacts, tensorflow?: TensorFlowInspection): string[] =>
  gpuFindings(facts, tensorflow).map(({ state, name, detail }) => `${state} ${name}: ${detail}`);

test('a machine without a GPU lacks nothing', () => {
  expect(shown(nothing, cpuBuild)).toEqual(['ok GPU: none: the processor computes (this machine has no NVIDIA GPU)']);
  expect(gpuFindings(nothing, undefined)).toHaveLength(1);
});

test('a GPU that works is shown with driver, memory, compute capability, libraries and TensorFlow’s own list', () => {
  expect(shown(withCard, cudaBuild)).toEqual([
    'ok NVIDIA driver: 550.54.15',
    'ok GPU 0: NVIDIA H100 80GB HBM3, 79.6 GiB, compute capability 9.0',
    'ok CUDA libraries: libcudart.so.12, libcublas.so.12 in /state/tensorflow/nvidia; libnccl.so.2 in /usr/lib/x86_64-linux-gnu',
    "ok TensorFlow's devices: CPU:0, GPU:0 (device: 0, name: NVIDIA H100 80GB HBM3, pci bus id: 0000:1b:00.0, compute capability: 9.0; 78.0 GiB)",
  ]);
});

test('a GPU that the build for processors cannot use is a warning with the command that installs the other build', () => {
  const findings = gpuFindings(withCard, cpuBuild);
  expect(findings.at(-1)).toMatchObject({
    state: 'warning',
    name: 'GPU',
    detail: expect.stringContaining('build of TensorFlow is the one for processors'),
    remedy: expect.stringContaining('npx nautil setup --gpu'),
  });
  expect(findings.map(({ state }) => state)).not.toContain('problem');
});

test('what keeps the build for GPUs from using a GPU of the machine is a problem with its remedy', () => {
  const libraries = cudaBuild.libraries.map((one) => (one.name === 'libnccl.so.2' ? { name: one.name } : one));
  expect(gpuFindings(withCard, { ...cudaBuild, devices: [cpu], libraries }).at(-1)).toEqual({
    state: 'problem',
    name: 'GPU',
    detail: 'TensorFlow cannot use one: libraries of NVIDIA cannot be found: libnccl.so.2',
    remedy: expect.stringContaining('npx nautil setup --gpu'),
  });
});

test('the build for GPUs on a machine without one is a warning, because the processor computes', () => {
  expect(shown(nothing, { ...cudaBuild, devices: [cpu] })).toEqual([
    'ok NVIDIA driver: none',
    expect.stringMatching(/^ok CUDA libraries/),
    "ok TensorFlow's devices: CPU:0",
    'warning GPU: TensorFlow cannot use one: this machine has no NVIDIA GPU',
  ]);
});

test('the failure of nvidia-smi is shown where there is a driver', () => {
  const smiProblem = 'nvidia-smi is not installed';
  expect(shown({ ...withCard, cards: [], smiProblem }, cudaBuild)[0]).toBe(
    'ok NVIDIA driver: 550.54.15; nvidia-smi is not installed',
  );
});

test('what TensorFlow logs of a GPU that it does not list is shown', () => {
  const stderr = [
    'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR',
    'E0000 00:00:1737317404.258825   10111 cuda_platform.cc:51] failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (999)',
  ].join('\n');
  const found = parseInspection({ stdout: JSON.stringify({ ...cudaBuild, devices: [cpu] }), stderr });
  expect(shown(withCard, found)).toContainEqual(
    "warning TensorFlow's log: failed call to cuInit: INTERNAL: CUDA error: UNKNOWN ERROR (999)",
  );
});

test('the output of another program is no inspection', () => {
  expect(parseInspection({ stdout: `a line\n${JSON.stringify(cudaBuild)}\n`, stderr: '' })).toEqual({
    ...cudaBuild,
    log: [],
  });
  expect(() => parseInspection({ stdout: '{"version":"2.21.0"}', stderr: '' })).toThrow('library');
});

test('where TensorFlow lists the GPU, a missing library is a warning that does not deny it', () => {
  const { libraries } = cudaBuild;
  const withoutNvrtc = { ...cudaBuild, libraries: [...libraries, { name: 'libnvrtc.so.12' }] };
  expect(shown(withCard, withoutNvrtc).at(-1)).toBe('warning GPU: libraries of NVIDIA cannot be found: libnvrtc.so.12');
});
