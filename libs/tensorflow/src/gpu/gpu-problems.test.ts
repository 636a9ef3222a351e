import { expect, test } from '@jest/globals';
import { cudaLibraryNames } from './cuda-libraries.js';
import type { GpuFacts } from './gpu-facts.js';
import { gpuProblems, visibleTokens } from './gpu-problems.js';

/** A machine on which TensorFlow can use a GPU. */
const working: GpuFacts = {
  driver: '550.54.15',
  deviceFiles: ['/dev/nvidia-uvm', '/dev/nvidia0', '/dev/nvidiactl'].map((path) => ({ path, isAccessible: true })),
  hasCard: true,
  isContainer: false,
  build: 'cuda',
  libraries: cudaLibraryNames.map((name) => ({ name, path: `/state/tensorflow/nvidia/part/lib/${name}` })),
  cards: [
    { index: 0, name: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559, computeCapability: '9.0', driver: '550.54.15' },
  ],
  listed: 1,
};

const none = { driver: undefined, deviceFiles: [], cards: undefined, listed: 0 };

const problemsOf = (facts: Partial<GpuFacts>): string[] =>
  gpuProblems({ ...working, ...facts }).map(({ what }) => what);

test('a machine that has everything has no problem, also before nvidia-smi and TensorFlow were asked', () => {
  expect(problemsOf({})).toEqual([]);
  expect(problemsOf({ cards: undefined, listed: undefined })).toEqual([]);
  expect(problemsOf({ build: undefined, libraries: [] })).toEqual([]);
  expect(problemsOf({ visible: '0,1' })).toEqual([]);
  expect(problemsOf({ isContainer: true })).toEqual([]);
  // WSL has no /proc/driver/nvidia.
  expect(problemsOf({ driver: undefined, deviceFiles: [{ path: '/dev/dxg', isAccessible: true }] })).toEqual([]);
});

test.each<[string, Partial<GpuFacts>, RegExp, RegExp]>([
  ['no card', { ...none, hasCard: false }, /^this machine has no NVIDIA GPU$/, /a machine that has one/],
  ['no card, and the build for processors', { ...none, hasCard: false, build: 'cpu' }, /has no NVIDIA GPU$/, /./],
  ['a card without a driver', none, /driver is not loaded/, /install the driver 525\.60\.13 or newer/],
  [
    'a container on a machine with a driver',
    { ...none, driver: '550.54.15', isContainer: true },
    /this container was started without it/,
    /--gpus all.*nvidia\.com\/gpu/,
  ],
  [
    'a container on a machine with a card that it cannot see',
    { ...none, isContainer: true },
    /this container was started without it/,
    /--gpus all/,
  ],
  [
    'a container anywhere, with the build for processors',
    { ...none, hasCard: false, isContainer: true, build: 'cpu' },
    /^this container has no NVIDIA GPU$/,
    /--gpus all/,
  ],
  ['an old driver', { driver: '470.223.02' }, /driver is 470\.223\.02, and CUDA 12 needs 525/, /update the driver/],
  ['a driver just too old', { driver: '525.60.11' }, /525\.60\.11/, /update the driver/],
  [
    'an old driver that only nvidia-smi knows',
    {
      driver: undefined,
      cards: [{ index: 0, name: 'Tesla T4', memoryMiB: 15_360, computeCapability: '7.5', driver: '510.1' }],
    },
    /driver is 510\.1/,
    /update the driver/,
  ],
  ['no device files', { deviceFiles: [] }, /device files .* are missing/, /nvidia-modprobe/],
  [
    'a device file of another group',
    { deviceFiles: [{ path: '/dev/nvidia0', isAccessible: false }] },
    /this user may not open \/dev\/nvidia0/,
    /usermod -aG/,
  ],
  [
    'a driver that was updated without a reboot',
    { cards: [], smiProblem: 'Failed to initialize NVML: Driver/library version mismatch' },
    /the loaded driver and its libraries differ/,
    /reboot/,
  ],
  ['a driver that lists nothing', { cards: [] }, /lists no GPU/, /dmesg/],
  [
    'an old card',
    { cards: [{ index: 0, name: 'Tesla M40', memoryMiB: 11_448, computeCapability: '5.2', driver: '550.54.15' }] },
    /compute capability 5\.2, .* needs 6\.0/,
    /Pascal/,
  ],
  ['hidden GPUs', { visible: '' }, /CUDA_VISIBLE_DEVICES= hides every GPU/, /unset CUDA_VISIBLE_DEVICES/],
  ['a GPU that is named twice', { visible: '0,0' }, /CUDA_VISIBLE_DEVICES=0,0 hides/, /each once/],
  ['hidden GPUs, as -1', { visible: '-1' }, /CUDA_VISIBLE_DEVICES=-1 hides/, /unset CUDA_VISIBLE_DEVICES/],
  ['the build for processors', { build: 'cpu', libraries: [] }, /build .* for processors/, /npx nautil setup --gpu/],
  [
    'a library that is gone',
    { libraries: working.libraries.map((one) => (one.name === 'libcudnn.so.9' ? { name: one.name } : one)) },
    /^libraries of NVIDIA cannot be found: libcudnn\.so\.9$/,
    /npx nautil setup --gpu/,
  ],
  [
    'no libraries',
    { libraries: cudaLibraryNames.map((name) => ({ name })) },
    /^none of NVIDIA's libraries can be found$/,
    /npx nautil setup --gpu/,
  ],
  [
    'a library that does not load',
    { libraries: [{ name: 'libcublas.so.12', path: '/x', problem: 'file too short' }] },
    /^libcublas\.so\.12 cannot be loaded: file too short$/,
    /npx nautil setup --gpu/,
  ],
  ['a GPU that only TensorFlow misses', { listed: 0 }, /^TensorFlow lists no GPU, although/, /nautil doctor.*xid/],
])('%s is one problem with its remedy', (_, facts, what, remedy) => {
  const problems = gpuProblems({ ...working, ...facts });
  expect(problems).toHaveLength(1);
  expect(problems[0]!.what).toMatch(what);
  expect(problems[0]!.remedy).toMatch(remedy);
});

test('problems of the machine and of the installation are reported together, because each has its own remedy', () => {
  expect(problemsOf({ driver: '470.82.01', build: 'cpu', visible: '-1' })).toEqual([
    expect.stringContaining('470.82.01'),
    expect.stringContaining('CUDA_VISIBLE_DEVICES'),
    expect.stringContaining('for processors'),
  ]);
});

test('one old card beside a newer one is no problem', () => {
  const card = (computeCapability: string) => ({
    index: 0,
    name: '',
    memoryMiB: 1,
    computeCapability,
    driver: '550.1',
  });
  expect(problemsOf({ cards: [card('5.2'), card('8.6')] })).toEqual([]);
});

test.each([
  ['0,1', ['0', '1']],
  [' 2 , 0', ['2', '0']],
  ['GPU-8932f937-d72c-4106-c12f-20bd9faed9f6', ['GPU-8932f937-d72c-4106-c12f-20bd9faed9f6']],
  ['MIG-GPU-8932f937/1/0', ['MIG-GPU-8932f937/1/0']],
  ['0,-1,1', ['0']],
  ['00,01', ['0', '1']],
  ['0,GPU-8932f937', ['0']],
  ['GPU-8932f937,0', ['GPU-8932f937']],
  ['0,0', []],
  ['1,0,00', []],
  ['0,-1,0', ['0']],
  ['none', []],
  ['', []],
])('CUDA_VISIBLE_DEVICES=%s shows %j', (visible, tokens) => {
  expect(visibleTokens(visible)).toEqual(tokens);
});
