import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
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

const python = spawnSync('python3', ['-c', 'import ctypes']).status === 0;

// The end of a traced process waits for its tracer, also after SIGKILL, as that of a process whose driver hangs.
(python ? test : test.skip)(
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

test('the usable GPUs are those that nvidia-smi lists, else those with a device file, and at most those that are visible', async () => {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'dev'), { recursive: true });
  for (const name of ['nvidia0', 'nvidia1', 'nvidia10', 'nvidiactl']) writeFileSync(join(root, 'dev', name), '');
  const library = join(folder, 'nowhere/x/libtensorflow_cc.so.2');
  const gpus = (env: NodeJS.ProcessEnv, files = root) => visibleGpus({ library, root: files, env });
  expect(await gpus(withoutSmi)).toEqual(['0', '1', '10']);
  const three = fake('three', `printf '0, a, 1, 9.0, 550.1\\n1, a, 1, 9.0, 550.1\\n2, a, 1, 9.0, 550.1\\n'`);
  expect(await gpus(three)).toEqual(['0', '1', '2']);
  expect(await gpus({ ...three, CUDA_VISIBLE_DEVICES: '2,0' })).toEqual(['2', '0']);
  expect(await gpus(three, join(folder, 'empty'))).toEqual([]);
});
