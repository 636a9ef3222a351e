import { join } from 'node:path';
import type { Command } from 'commander';
import { defineError, nautilCommand } from '@nautil/contracts';
import { examples } from '../help.js';
import type { LocalRun } from '../local-runs.js';
import { printData } from '../output.js';

/** The log of the run is not on this machine. */
class NoLog extends defineError('NoLog', 'environment') {}

export function addLogs(program: Command): void {
  program
    .command('logs')
    .summary('print the log of a run')
    .description(
      'Prints the log that a run writes as NeMo does: its configuration, examples of its data, and a table for each evaluation. ' +
        'Reads the log folder, so that no server is needed; it must be on this machine.',
    )
    .argument('<run>', 'a name in `nautil runs`')
    .option('-f, --follow', 'wait for more until the run has ended')
    .addHelpText('after', examples('logs sst2-20261123-231500', 'logs sst2-20261123-231500 -f'))
    .action(printLog);
}

async function printLog(id: string, { follow }: { follow?: true }): Promise<void> {
  const [{ findLocalRun, localRuns }, { followFile }, { interruption }, { logFile }] = await Promise.all([
    import('../local-runs.js'),
    import('../follow-file.js'),
    import('../interruption.js'),
    import('@nautil/nemo'),
  ]);
  const run = findLocalRun(id, await localRuns());
  const path = join(logDirOf(run), logFile);
  const goesOn = async (): Promise<boolean> => follow === true && (await isRunning(run));
  let line = '';
  try {
    for await (const piece of followFile(path, { goesOn, signal: interruption })) {
      const lines = (line + piece).split('\n');
      line = lines.pop() ?? '';
      if (lines.length > 0) await printData(lines.join('\n'));
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new NoLog(
      `the log of ${run.id}, ${path}, does not exist: it was removed, or is on the machine of the worker`,
      {
        hint: `\`${nautilCommand('runs', 'show', run.id)}\` shows what the state folder has of the run`,
        cause: error,
      },
    );
  }
  if (line !== '') await printData(line);
}

function logDirOf({ id, logDir }: LocalRun): string {
  if (logDir !== undefined) return logDir;
  throw new NoLog(`${id} is a sweep, and only its trials have logs`, {
    hint: `\`${nautilCommand('runs')}\` lists them`,
  });
}

/** Whether the journal of the run has no end. A killed run has none, either: Ctrl-C ends the command. */
async function isRunning({ summary: { journal } }: LocalRun): Promise<boolean> {
  const { summarizeJournal } = await import('@nautil/mlflow');
  return (await summarizeJournal(journal)).status === 'RUNNING';
}
