import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { testIf } from '@nautil/testing';
import { runNvidiaSmi } from './nvidia-smi.js';
import { visibleGpus } from './visible-gpus.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-smi-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const withoutSmi = { PATH: join(folder, 'nothing-here') };

/** An environment with an nvidia-smi on the PATH. */
function fake(name: string, script: string): NodeJS.ProcessEnv {
  const bin = join(folder, name);
  mkdirSync(bin);
  writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: [bin, process.env.PATH].join(delimiter) };
}

test('each GPU has its number, name, memory, compute capability and driver', async () => {
  // Also checks the arguments.
  const env = fake(
    'two',
    `[ "$*" = "--query-gpu=index,name,memory.total,compute_cap,driver_version --format=csv,noheader,nounits" ] || exit 3
printf '0, NVIDIA H100 80GB HBM3, 81559, 9.0, 550.54.15\\n1, Tesla K80, [N/A], [N/A], 550.54.15\\n'`,
  );
  expect(await runNvidiaSmi({ env })).toEqual({
    cards: [
      { index: 0, name: 'NVIDIA H100 80GB HBM3', memoryMiB: 81_559, computeCapability: '9.0', driver: '550.54.15' },
      { index: 1, name: 'Tesla K80', memoryMiB: 0, driver: '550.54.15' },
    ],
  });
});

test('the reason of a failure is its first line on standard output', async () => {
  const env = fake('mismatch', 'echo "Failed to initialize NVML: Driver/library version mismatch"; exit 18');
  expect(await runNvidiaSmi({ env })).toEqual({
    cards: [],
    problem: 'Failed to initialize NVML: Driver/library version mismatch',
  });
});

test('without nvidia-smi, the problem names it', async () => {
  expect(await runNvidiaSmi({ env: withoutSmi })).toEqual({ cards: [], problem: 'nvidia-smi is not installed' });
});

const hasPython = spawnSync('python3', ['-c', 'import ctypes']).status === 0;

// The end of a traced process waits for its tracer, also after SIGKILL, as that of a process whose driver hangs.
testIf(
  hasPython,
  'python3 is not installed',
  'an nvidia-smi that outlives SIGKILL is given up after the time limit',
  async () => {
    const pidFile = join(folder, 'pid');
    const program = join(folder, 'unkillable.py');
    writeFileSync(
      program,
      `import ctypes, os, time
libc = ctypes.CDLL(None)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
PR_SET_PTRACER, PTRACE_SEIZE, PTRACE_O_TRACEEXIT = 0x59616D61, 0x4206, 0x40
traced = os.getpid()
libc.prctl(PR_SET_PTRACER, 2**64 - 1)
if os.fork() == 0:
    libc.ptrace(PTRACE_SEIZE, traced, None, PTRACE_O_TRACEEXIT)
    open('${pidFile}', 'w').write(str(traced))
    time.sleep(12)
    os._exit(0)
time.sleep(60)
`,
    );
    const env = fake('unkillable', `exec python3 ${program}`);
    expect(await runNvidiaSmi({ env, timeoutMs: 4000 })).toEqual({
      cards: [],
      problem: 'nvidia-smi did not answer within 4 s',
    });
    expect(existsSync(`/proc/${readFileSync(pidFile, 'utf8')}`)).toBe(true);
  },
  30_000,
);

/** The start of a file system with device files for GPUs. */
function machine(name: string): string {
  const root = join(folder, name);
  mkdirSync(join(root, 'dev'), { recursive: true });
  for (const file of ['nvidia0', 'nvidia1', 'nvidia10', 'nvidiactl']) writeFileSync(join(root, 'dev', file), '');
  return root;
}

const library = join(folder, 'nowhere/x/libtensorflow_cc.so.2');
const gpus = ['GPU-11aa-0', 'GPU-22bb-1', 'GPU-22cc-2'];
const listing = gpus.map((uuid, i) => `GPU ${i}: NVIDIA H100 80GB HBM3 (UUID: ${uuid})`).join('\\n');

test('the usable GPUs are those that nvidia-smi lists, else those with a device file, and none without a driver', async () => {
  const root = machine('files');
  expect(await visibleGpus({ library, root, env: withoutSmi })).toEqual(['0', '1', '10']);
  expect(await visibleGpus({ library, root, env: { ...withoutSmi, CUDA_VISIBLE_DEVICES: '01,0' } })).toEqual([
    '1',
    '0',
  ]);
  const env = fake('three', `[ "$*" = --list-gpus ] || exit 3; printf '${listing}\\n'`);
  expect(await visibleGpus({ library, root, env })).toEqual(gpus);
  expect(await visibleGpus({ library, root: join(folder, 'empty'), env })).toEqual([]);
});

test.each([
  ['2,0', [2, 0]],
  ['00,02', [0, 2]],
  ['GPU-22bb-1', [1]],
  ['GPU-1,GPU-22c', [0, 2]],
  ['GPU-1,GPU-22', [0]], // the second is ambiguous
  ['0,7,1', [0]],
  ['GPU-11aa-0,GPU-11', []],
  ['0,0', []],
])('CUDA_VISIBLE_DEVICES=%s selects each GPU by its one name, as CUDA does: %j', async (visible, selected) => {
  const env = fake(`visible-${visible}`, `printf '${listing}\\n'`);
  const found = await visibleGpus({
    library,
    root: machine('visible'),
    env: { ...env, CUDA_VISIBLE_DEVICES: visible },
  });
  expect(found).toEqual(selected.map((index) => gpus[index]));
});

test.each([
  [undefined, ['MIG-aa', 'GPU-2']],
  ['0', ['MIG-aa']],
  ['GPU-1', ['MIG-aa']],
  ['MIG-bb,MIG-a', ['MIG-bb', 'MIG-aa']],
])(
  'a GPU that is divided by MIG has the name of an instance: CUDA_VISIBLE_DEVICES=%s selects %j',
  async (visible, names) => {
    const env = fake(
      `mig-${visible}`,
      `cat <<END
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-1)
  MIG 3g.20gb     Device  0: (UUID: MIG-aa)
  MIG 3g.20gb     Device  1: (UUID: MIG-bb)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-2)
END`,
    );
    const set = visible === undefined ? {} : { CUDA_VISIBLE_DEVICES: visible };
    expect(await visibleGpus({ library, root: machine('mig'), env: { ...env, ...set } })).toEqual(names);
  },
);

test('without nvidia-smi, the driver’s files in /proc give the same names', async () => {
  const root = machine('proc');
  const describe = (address: string, uuid: string): void => {
    const place = join(root, 'proc/driver/nvidia/gpus', address);
    mkdirSync(place, { recursive: true });
    writeFileSync(
      join(place, 'information'),
      `Model: \t\t NVIDIA H100\nIRQ:   \t\t 28\nGPU UUID: \t ${uuid}\nBus Type: \t PCIe\n`,
    );
  };
  describe('0000:5d:00.0', 'GPU-22bb-1');
  describe('0000:1b:00.0', 'GPU-11aa-0');
  expect(await visibleGpus({ library, root, env: withoutSmi })).toEqual(['GPU-11aa-0', 'GPU-22bb-1']);
  expect(await visibleGpus({ library, root, env: { ...withoutSmi, CUDA_VISIBLE_DEVICES: '1' } })).toEqual([
    'GPU-22bb-1',
  ]);
  describe('0000:5d:00.0', 'GPU-????????-????-????-????-????????????');
  expect(await visibleGpus({ library, root, env: withoutSmi })).toEqual(['0', '1', '10']);
});
