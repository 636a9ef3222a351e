import { CommanderError } from 'commander';
import { asFileError, exitCodeOf, exitCodes, formatError, Interrupted, TemporalUnreachable } from '@nautil/contracts';
import { interruption, listenForInterruption } from './interruption.js';
import { loadEnvFile } from './load-env-file.js';
import { printMessage, printResult } from './output.js';
import { buildProgram } from './program.js';

/**
 * Runs the command line `nautil …` to its end.
 *
 * @param args what was typed after `nautil`
 * @returns the exit code: 0 success, 2 usage or configuration, 3 data, 4 environment, 5 training failed, 130 interrupted
 */
export async function main(args: string[]): Promise<number> {
  listenForInterruption();
  exitQuietlyWithoutReader();
  try {
    loadEnvFile();
    if (['-V', '--version'].includes(args[0] ?? '')) {
      const { versionText } = await import('./version-text.js');
      await printResult(await versionText());
      return 0;
    }
    await buildProgram().parseAsync(args, { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : 0;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : exitCodes.usage; // commander has printed it
    const error =
      interruption.aborted && !(thrown instanceof Interrupted)
        ? new Interrupted('interrupted', { cause: thrown })
        : asServerError(asFileError(thrown));
    printMessage(formatError(error, Boolean(process.env['DEBUG'])));
    return exitCodeOf(error);
  }
}

/** An error of the connection to Temporal, which is not loaded here only to recognise it. */
function asServerError(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'ServiceError') return error;
  return new TemporalUnreachable('Temporal no longer answers; runs continue when it is back', {
    hint: '`npx nautil status` shows the servers, `npx nautil up` starts them, `npx nautil runs` lists the runs',
    cause: error,
  });
}

/** Exits without an error when the reader of a pipe closes it, as `head` does in `nautil … | head`. */
function exitQuietlyWithoutReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
}
