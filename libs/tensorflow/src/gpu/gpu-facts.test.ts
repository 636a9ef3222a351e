import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { cudaLibraryNames } from './cuda-libraries.js';
import { hasGpuDevice, readGpuFacts } from './gpu-facts.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nautil-gpu-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const read = (env: NodeJS.ProcessEnv = {}, library = join(root, 'nowhere/x/libtensorflow_cc.so.2')) =>
  readGpuFacts({ library, root, env });

test('a machine without anything of NVIDIA has no facts but their absence', () => {
  write('sys/bus/pci/devices/0000:00:02.0/vendor', '0x8086\n');
  write('sys/bus/pci/devices/0000:00:02.0/class', '0x030000\n');
  expect(hasGpuDevice(root)).toBe(false);
  expect(read()).toEqual({
    driver: undefined,
    deviceFiles: [],
    hasCard: false,
    isContainer: false,
    visible: undefined,
    build: undefined,
    libraries: cudaLibraryNames.map((name) => ({ name })),
  });
});

test.each([
  [
    'the proprietary module',
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc version 11.4.0\n',
    '535.104.05',
  ],
  [
    'the open module',
    'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build  (dvs-builder@U16)\n',
    '550.54.15',
  ],
  ['an old module', 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  367.57  Mon Oct  3 20:37:01 PDT 2016\n', '367.57'],
])('the version of the driver is read from the text of %s', (_, text, version) => {
  write('proc/driver/nvidia/version', text);
  expect(read().driver).toBe(version);
});

test('the card, the device files, the container and the variable are found', () => {
  write('sys/bus/pci/devices/0000:1b:00.0/vendor', '0x10de\n');
  write('sys/bus/pci/devices/0000:1b:00.0/class', '0x030200\n');
  for (const name of ['nvidia0', 'nvidia1', 'nvidiactl', 'nvidia-uvm', 'null']) write(`dev/${name}`);
  write('.dockerenv');
  expect(hasGpuDevice(root)).toBe(true);
  expect(read({ CUDA_VISIBLE_DEVICES: '1' })).toMatchObject({
    deviceFiles: ['nvidia-uvm', 'nvidia0', 'nvidia1', 'nvidiactl'].map((name) => ({
      path: join(root, 'dev', name),
      isAccessible: true,
    })),
    hasCard: true,
    isContainer: true,
    visible: '1',
  });
});

test('NVIDIA’s sound device on a graphics card is not taken for a card', () => {
  write('sys/bus/pci/devices/0000:01:00.1/vendor', '0x10de\n');
  write('sys/bus/pci/devices/0000:01:00.1/class', '0x040300\n');
  expect(read().hasCard).toBe(false);
});

test.each([
  ['{"requirement":"tensorflow-cpu==2.21.0"}', 'cpu'],
  ['{"requirement":"tensorflow==2.21.0"}', 'cuda'],
  ['{"requirement":1}', undefined],
  ['{', undefined],
] as const)('the stamp %s of the set-up states the build: %s', (stamp, build) => {
  write('tensorflow/x/.nautil-setup.json', stamp);
  expect(read({}, join(root, 'tensorflow/x/libtensorflow_cc.so.2')).build).toBe(build);
});
