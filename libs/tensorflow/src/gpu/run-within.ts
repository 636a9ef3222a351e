import { execFile } from 'node:child_process';

export interface RunWithinOptions {
  env?: NodeJS.ProcessEnv | undefined;
  timeoutMs: number;
}

/** A program that did not end in time. */
export class TimeLimitExceeded extends Error {}

/**
 * Runs a program that may hang in a GPU's driver, and kills it after a time. NOTE: a process in an uninterruptible wait outlives
 * SIGKILL, so its end is not awaited, and it does not keep this process alive.
 *
 * @throws TimeLimitExceeded; the error of `execFile`, with `stdout` and `stderr`
 */
export function runWithin(
  program: string,
  args: readonly string[],
  { env = process.env, timeoutMs }: RunWithinOptions,
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { env }, (error, stdout, stderr) => {
      clearTimeout(timer);
      if (error === null) resolve({ stdout, stderr });
      else reject(Object.assign(error as Error, { stdout, stderr }));
    });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      reject(new TimeLimitExceeded(`${program} did not answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
  });
}
