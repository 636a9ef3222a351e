import { spawn } from 'node:child_process';
import { join } from 'node:path';

// Resolved here, because the program runs in the folder where the command was typed, from which tsx may not be found.
const tsx = import.meta.resolve('tsx');

/**
 * The executor `@nautil/tools:program`. Nx's own run-commands joins the arguments into one line for a shell, which splits
 * `'name=a b'` and executes what follows a semicolon; this executor passes them on unchanged.
 *
 * Nx loads executors with `require` and expects the function as the default export.
 *
 * @param {{ program: string, command: string[], __unparsed__: string[] }} options
 * @param {import('@nx/devkit').ExecutorContext} context
 */
export default async function program({ program: file, command, __unparsed__: typed }, context) {
  const loader = file.endsWith('.ts') ? ['--import', tsx] : [];
  const child = spawn(process.execPath, [...loader, join(context.root, file), ...command, ...typed], {
    cwd: process.env.INIT_CWD ?? context.cwd,
    stdio: 'inherit',
  });
  const forward = (signal) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, forward);
  try {
    const code = await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.once('exit', (exitCode, signal) => resolve(signal ?? exitCode));
    });
    // Nx turns every failure into exit code 1, so the program's own exit code is printed.
    if (code !== 0) console.error(`${file} ended with ${typeof code === 'number' ? `exit code ${code}` : code}`);
    return { success: code === 0 };
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, forward);
  }
}
