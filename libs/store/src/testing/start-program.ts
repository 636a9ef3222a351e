import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

export interface StartedProgram {
  child: ChildProcess;

  /** Resolves when the program has printed the text. */
  printed(text: string): Promise<void>;

  /** Resolves to what it printed when it has ended. */
  ended: Promise<{ code: number | null; output: string }>;
}

/** Starts a TypeScript program of this folder as a process of its own. */
export function startProgram(file: string, ...args: string[]): StartedProgram {
  const child = spawn(process.execPath, ['--import', 'tsx', join(here, file), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return {
    child,
    printed: async (text) => {
      while (!output.includes(text)) await once(child.stdout, 'data');
    },
    ended: once(child, 'close').then(([code]) => ({ code: code as number | null, output })),
  };
}
