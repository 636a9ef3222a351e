import type { Command } from 'commander';
import type { JournalSummary, SyncedJournal } from '@nautil/mlflow';
import { examples } from '../program.js';

export function register(program: Command): void {
  const runs = program
    .command('runs')
    .summary('what this machine has run, and what MLflow has not heard of yet')
    .description(
      'Every run keeps a journal of what it tells MLflow. When the server is down, training goes on and the journal waits.',
    )
    .addHelpText('after', examples('runs list', 'runs sync'));
  runs
    .command('list')
    .summary('the runs of this machine')
    .description('Lists the runs whose journals are here, oldest first, with how they ended and what MLflow lacks.')
    .option('--json', 'print the runs as JSON')
    .addHelpText('after', examples('runs list', "runs list --json | jq -r '.[] | select(.unsent > 0).journal'"))
    .action(listRuns);
  runs
    .command('sync')
    .summary('send MLflow what it has not heard of')
    .description(
      'Sends the journals that MLflow does not have whole: each row once, however often it was tried. The exit code is 4 when ' +
        'the server is down; what had arrived by then is not sent again.',
    )
    .argument('[folders...]', 'folders to look for journals in, at any depth (default: those of all runs)')
    .option('--dry-run', 'only say what would be sent')
    .option('--tracking-uri <address>', "MLflow's address (default: MLFLOW_TRACKING_URI, else the local server)")
    .option('--json', 'print what was sent as JSON')
    .addHelpText('after', examples('runs sync', 'runs sync --dry-run', 'runs sync --tracking-uri http://mlflow:5000'))
    .action(syncRuns);
}

interface SyncFlags {
  dryRun?: boolean;
  trackingUri?: string;
  json?: boolean;
}

async function listRuns({ json }: { json?: boolean }): Promise<void> {
  const { findJournals } = await import('@nautil/mlflow');
  const { runsFolder } = await import('@nautil/store');
  const summaries = await findJournals(runsFolder());
  if (json) return console.log(JSON.stringify(summaries, null, 2));
  if (summaries.length === 0) return console.log(`no runs in ${runsFolder()}`);
  for (const summary of summaries) console.log(formatSummary(summary));
}

async function syncRuns(folders: string[], flags: SyncFlags): Promise<void> {
  const { findJournals } = await import('@nautil/mlflow');
  const { runsFolder } = await import('@nautil/store');
  const searched = folders.length > 0 ? folders : [runsFolder()];
  const found = (await Promise.all(searched.map(findJournals))).flat();
  const waiting = found.filter(({ unsent }) => unsent > 0);
  if (flags.dryRun) return showWaiting(waiting, flags);
  if (waiting.length === 0) {
    console.log(
      flags.json ? '[]' : `nothing to send: MLflow has all of ${found.length} ${plural(found.length, 'run')}`,
    );
    return;
  }
  await send(waiting, flags);
}

function showWaiting(waiting: JournalSummary[], { json }: SyncFlags): void {
  if (json) return console.log(JSON.stringify(waiting, null, 2));
  for (const summary of waiting) console.log(formatSummary(summary));
  console.log(`${waiting.length} ${plural(waiting.length, 'run')} would be sent`);
}

/** Sends one journal after the other. One that the server refuses does not hold up the others; a server that is down ends it. */
async function send(waiting: JournalSummary[], flags: SyncFlags): Promise<void> {
  const { MlflowClient, MlflowError, syncJournal } = await import('@nautil/mlflow');
  const { stackAddresses } = await import('@nautil/stack');
  const { exitCodeOf, formatError } = await import('@nautil/contracts');
  const { interruption } = await import('../interruption.js');
  const trackingUri = flags.trackingUri ?? (await stackAddresses()).mlflowTrackingUri;
  const client = new MlflowClient({ trackingUri });
  const sent: (JournalSummary & SyncedJournal)[] = [];
  let refused: unknown;
  try {
    for (const summary of waiting) {
      try {
        const synced = await syncJournal(summary.journal, client, { warn: console.error, signal: interruption });
        sent.push({ ...summary, ...synced, unsent: 0 });
        if (!flags.json) console.log(`${nameOf(summary)}: ${recordsOf(summary.unsent)} sent  ${synced.runUrl ?? ''}`);
      } catch (error) {
        if (!(error instanceof MlflowError)) throw error;
        console.error(`${nameOf(summary)}: ${formatError(error)}`);
        refused ??= error;
      }
    }
  } finally {
    if (flags.json) console.log(JSON.stringify(sent, null, 2));
    else if (sent.length < waiting.length) {
      const left = waiting.length - sent.length;
      console.error(`${left} of ${waiting.length} ${plural(waiting.length, 'run')} not sent to ${trackingUri}`);
    }
  }
  if (refused !== undefined) process.exitCode = exitCodeOf(refused);
}

function formatSummary(summary: JournalSummary): string {
  const { startedMs, status, records, unsent } = summary;
  const started = startedMs === undefined ? '' : new Date(startedMs).toISOString().slice(0, 16).replace('T', ' ');
  const lacking = unsent === 0 ? 'all sent' : `${unsent} of ${recordsOf(records)} not sent`;
  return [started, status.padEnd(8), nameOf(summary), lacking].join('  ');
}

const nameOf = ({ runName, journal }: JournalSummary): string => runName ?? journal;
const recordsOf = (count: number): string => `${count} ${plural(count, 'record')}`;
const plural = (count: number, noun: string): string => (count === 1 ? noun : `${noun}s`);
