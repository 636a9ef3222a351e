import { exitCodeOf, exitCodes, formatError, Interrupted } from '@nautil/contracts';
import { CommanderError } from 'commander';
import { interruption, listenForInterruption } from './interruption.js';
import { buildProgram } from './program.js';

/**
 * Runs the command line `nautil …` to its end.
 *
 * @param args what was typed after `nautil`
 * @returns the exit code: 0 done, 2 usage or config, 3 data, 4 environment, 5 training failed, 130 interrupted
 */
export async function main(args: string[]): Promise<number> {
  listenForInterruption();
  endQuietlyWithoutReader();
  try {
    const program = await buildProgram();
    await program.parseAsync(args, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : exitCodes.usage; // it has been printed
    const error = interruption.aborted ? new Interrupted('interrupted', { cause: thrown }) : thrown;
    console.error(formatError(error, Boolean(process.env['DEBUG'])));
    return exitCodeOf(error);
  }
}

/** `nautil … | head` ends when head has read enough. */
function endQuietlyWithoutReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}
