import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './paths.js';
import { parseSideOutput, type SideOutput } from './side-output.js';

const benchmark = join(root, 'tools', 'benchmark');

/** The command line of one of our programs. */
export const ourCommand = (program: string): string[] => [
  process.execPath,
  '--import',
  import.meta.resolve('tsx'),
  join(benchmark, 'src', 'ours', `${program}.ts`),
];

/** The command line of a peer's program. */
export const peerCommand = (python: string, program: string): string[] => [
  python,
  join(benchmark, 'peers', `${program}.py`),
];

/**
 * Runs the program of one side in a process of its own. Adds the figure `wall`, the seconds from its start to its end, unless the
 * program has measured it itself.
 *
 * @param signal - ends the program
 * @throws Error with the end of its output when it fails
 */
export async function runSide(command: readonly string[], signal: AbortSignal): Promise<SideOutput> {
  // A program that is ended cannot remove its temporary files, which may be gigabytes.
  const temporary = await mkdtemp(join(tmpdir(), 'nautil-benchmark-'));
  try {
    return await run(command, { TMPDIR: temporary }, signal);
  } finally {
    await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function run(
  [command = '', ...args]: readonly string[],
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<SideOutput> {
  const startedAt = performance.now();
  const child = spawn(command, args, {
    cwd: root,
    env: {
      ...process.env,
      HF_HUB_OFFLINE: '1',
      TRANSFORMERS_VERBOSITY: 'error',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let [stdout, stderr] = ['', ''];
  let problem: Error | undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4000)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => {
      // A program that has started is over only when it closes its output.
      if (child.pid === undefined) reject(error);
      else problem = error;
    });
    child.on('close', resolve);
  });
  if (problem) throw problem;
  const wall = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`exit code ${code}: ${lastLine(stderr) || lastLine(stdout)}`);
  const { figures, ...rest } = parseSideOutput(stdout);
  return { ...rest, figures: { wall: [wall], ...figures } };
}

const lastLine = (text: string): string => text.trimEnd().split('\n').at(-1) ?? '';
