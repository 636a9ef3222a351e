import type { Command } from 'commander';
import { counted } from '@nautil/contracts';
import type { JournalSummary, SyncedJournal } from '@nautil/mlflow';
import { examples } from '../help.js';
import { printJson, printMessage, printResult } from '../output.js';

export function addRuns(program: Command): void {
  const runs = program
    .command('runs')
    .summary('list the runs of this machine, and send MLflow their unsent records')
    .description(
      'Every run keeps a journal of its MLflow records. When the server is down, training continues and the journal keeps them.',
    )
    .addHelpText('after', examples('runs list', 'runs sync'));
  runs
    .command('list')
    .summary('list the runs of this machine')
    .description(
      'Lists the runs that have a journal here, oldest first, with their status and the number of unsent records.',
    )
    .option('--json', 'print the runs as JSON')
    .addHelpText('after', examples('runs list', "runs list --json | jq -r '.[] | select(.unsent > 0).journal'"))
    .action(listRuns);
  runs
    .command('sync')
    .summary('send MLflow the unsent records')
    .description(
      'Sends the unsent records of each journal. MLflow stores a record once, even if it is sent several times. ' +
        'The exit code is 4 when the server is down; records that had arrived by then are not sent again.',
    )
    .argument('[folders...]', 'folders in which to look for journals, at any depth (default: those of all runs)')
    .option('--dry-run', 'only show what would be sent')
    .option('--tracking-uri <address>', "MLflow's address (default: MLFLOW_TRACKING_URI, else the local server)")
    .option('--json', 'print what was sent as JSON')
    .addHelpText('after', examples('runs sync', 'runs sync --dry-run', 'runs sync --tracking-uri http://mlflow:5000'))
    .action(syncRuns);
}

interface SyncFlags {
  dryRun?: true;
  trackingUri?: string;
  json?: true;
}

async function listRuns({ json }: { json?: true }): Promise<void> {
  const { findJournals } = await import('@nautil/mlflow');
  const { runsFolder } = await import('@nautil/store/folders');
  const summaries = await findJournals(runsFolder());
  if (json) return printJson(summaries);
  if (summaries.length === 0) return printResult(`no runs in ${runsFolder()}`);
  for (const summary of summaries) await printResult(formatSummary(summary));
}

async function syncRuns(folders: string[], flags: SyncFlags): Promise<void> {
  const { findJournals } = await import('@nautil/mlflow');
  const { runsFolder } = await import('@nautil/store/folders');
  const searched = folders.length > 0 ? folders : [runsFolder()];
  const found = (await Promise.all(searched.map(findJournals))).flat();
  const waiting = found.filter(({ unsent }) => unsent > 0);
  if (flags.dryRun) return showWaiting(waiting, flags);
  if (waiting.length === 0) {
    const why =
      found.length === 0
        ? `no run in ${searched.join(', ')} has a journal`
        : `MLflow has all records of ${counted(found.length, 'run')}`;
    return printResult(flags.json ? '[]' : `nothing to send: ${why}`);
  }
  await send(waiting, flags);
}

async function showWaiting(waiting: JournalSummary[], { json }: SyncFlags): Promise<void> {
  if (json) return printJson(waiting);
  for (const summary of waiting) await printResult(formatSummary(summary));
  await printResult(`${counted(waiting.length, 'run')} would be sent`);
}

/** Sends one journal after the other. A journal that the server rejects does not stop the others; a server that is down does. */
async function send(waiting: JournalSummary[], flags: SyncFlags): Promise<void> {
  const { MlflowClient, MlflowError, syncJournal } = await import('@nautil/mlflow');
  const { stackAddresses } = await import('@nautil/stack');
  const { exitCodeOf, formatError } = await import('@nautil/contracts');
  const { interruption } = await import('../interruption.js');
  const trackingUri = flags.trackingUri ?? stackAddresses().mlflowTrackingUri;
  // The user names the server here, and not a journal, so that it gets the user's credentials.
  const client = new MlflowClient({ trackingUri, ownServer: trackingUri });
  const sent: (JournalSummary & SyncedJournal)[] = [];
  let rejected: unknown;
  try {
    for (const summary of waiting) {
      try {
        const synced = await syncJournal(summary.journal, client, { warn: printMessage, signal: interruption });
        sent.push({ ...summary, ...synced, unsent: 0 });
        if (!flags.json)
          await printResult(`${nameOf(summary)}: ${recordsOf(summary.unsent)} sent  ${synced.runUrl ?? ''}`);
      } catch (error) {
        if (!(error instanceof MlflowError)) throw error;
        printMessage(`${nameOf(summary)}: ${formatError(error)}`);
        rejected ??= error;
      }
    }
  } finally {
    if (flags.json) await printJson(sent);
    else if (sent.length < waiting.length) {
      const left = waiting.length - sent.length;
      printMessage(`${left} of ${counted(waiting.length, 'run')} not sent to ${trackingUri}`);
    }
  }
  if (rejected !== undefined) process.exitCode = exitCodeOf(rejected);
}

function formatSummary(summary: JournalSummary): string {
  const { startedMs, status, records, unsent } = summary;
  const started = startedMs === undefined ? '' : new Date(startedMs).toISOString().slice(0, 16).replace('T', ' ');
  const lacking = unsent === 0 ? 'all sent' : `${unsent} of ${recordsOf(records)} not sent`;
  return [started, status.padEnd(8), nameOf(summary), lacking].join('  ');
}

const nameOf = ({ runName, journal }: JournalSummary): string => runName ?? journal;
const recordsOf = (count: number): string => counted(count, 'record');
