import { type Command, Option } from 'commander';
import { counted, nautilCommand, type Objective, objectives, UsageError } from '@nautil/contracts';
import type { JournalSummary, SyncedJournal } from '@nautil/mlflow';
import { examples } from '../help.js';
import type { LocalRun } from '../local-runs.js';
import { positiveInteger } from '../option-values.js';
import { printJson, printMessage, printResult } from '../output.js';
import { terminalWidth } from '../terminal/terminal-width.js';
import { tryCommand } from '../try-command.js';

export function addRuns(program: Command): void {
  const runs = program
    .command('runs')
    .summary('list, show and compare the runs of this machine, and send MLflow their unsent records')
    .description(
      'Every run keeps a journal of its MLflow records in the state folder. These commands read it, so that they need no server. ' +
        'When MLflow is down, training continues and the journal keeps the records for `nautil runs sync`.',
    )
    .addHelpText('after', examples('runs', 'runs show sst2', 'runs compare sst2 sst2@1', 'runs best', 'runs sync'));
  runs
    .command('list', { isDefault: true })
    .summary('list the runs of this machine')
    .description(
      'Lists the runs and sweeps that have a journal here, the newest first: state, macro F1 on the test and the validation set, model, ' +
        'data and duration. The scores of a finished run are those of its packaged weights, of another run the newest. Of several runs with one name, all but the newest are listed as NAME@1, NAME@2, …, by age. ' +
        'A narrow terminal gets fewer columns.',
    )
    .option('--limit <n>', 'list only the newest ones', positiveInteger)
    .option('--json', 'print the runs as JSON')
    .addHelpText('after', examples('runs list', "runs list --json | jq -r '.[] | select(.unsent > 0).journal'"))
    .action(listRuns);
  runs
    .command('show')
    .summary('show what is known of a run')
    .description(
      'Shows the state of a run, its model, data, archive, folders and scores: those of the packaged weights, and before the end the newest.',
    )
    .argument('<run>', 'a name in `nautil runs`')
    .option('--json', 'print it as JSON, with all settings')
    .addHelpText('after', examples('runs show sst2', "runs show sst2 --json | jq '.scores'"))
    .action(showRun);
  runs
    .command('compare')
    .summary('show in which settings and scores runs differ')
    .description(
      'Prints the settings in which the runs differ, and their scores, with a column for each run. They are those of the packaged weights, if the run has ended.',
    )
    .argument('<runs...>', 'two or more names in `nautil runs`')
    .addHelpText('after', examples('runs compare sst2 sst2@1'))
    .action(compareRuns);
  runs
    .command('best')
    .summary('find the best run for each data set')
    .description(
      'Finds the finished run whose packaged weights have the best score, for each data set: runs on different data cannot be compared.',
    )
    .addOption(
      new Option('--metric <score>', 'the score that ranks the runs').choices([...objectives]).default('val/f1_macro'),
    )
    .option('--json', 'print the runs as JSON')
    .addHelpText('after', examples('runs best', 'runs best --metric test/accuracy'))
    .action(bestRuns);
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

/** What the lists have of a run in JSON: all but its settings, of which there are a hundred. */
const asJson = ({ id, folder, logDir, summary: { params: _, ...summary } }: LocalRun): object => ({
  id,
  ...summary,
  folder,
  logDir,
});

async function listRuns({ json, limit }: { json?: true; limit?: number }): Promise<void> {
  const [{ localRuns }, { formatRuns }] = await Promise.all([import('../local-runs.js'), import('../format-runs.js')]);
  const { runsFolder } = await import('@nautil/store/folders');
  const all = await localRuns();
  const runs = all.slice(0, limit);
  if (json) return printJson(runs.map(asJson));
  if (runs.length === 0)
    return printResult(`no runs in ${runsFolder()}\n  \`${nautilCommand('run', '--config-name', 'sst2')}\` starts one`);
  await printResult(formatRuns(runs, { width: terminalWidth() }));
  const unsent = all.filter(({ summary }) => summary.unsent > 0).length;
  if (unsent > 0) {
    const verb = unsent === 1 ? 'has' : 'have';
    printMessage(`${counted(unsent, 'run')} ${verb} unsent records: \`${nautilCommand('runs', 'sync')}\` sends them`);
  }
}

async function showRun(id: string, { json }: { json?: true }): Promise<void> {
  const [{ findLocalRun, localRuns }, { archiveIn, formatRun }] = await Promise.all([
    import('../local-runs.js'),
    import('../format-runs.js'),
  ]);
  const run = findLocalRun(id, await localRuns());
  if (json) return printJson({ ...asJson(run), params: run.summary.params });
  await printResult(formatRun(run));
  const archive = archiveIn(run.summary.params);
  const isFinished = run.summary.status === 'FINISHED' && archive !== undefined;
  await printResult(
    [
      '',
      ...(isFinished ? [`try   ${tryCommand(archive)}`] : []),
      ...(run.logDir === undefined ? [] : [`logs  ${nautilCommand('logs', run.id)}`]),
    ].join('\n'),
  );
}

async function compareRuns(ids: string[]): Promise<void> {
  if (ids.length < 2) {
    throw new UsageError(`${ids.join('')} is one run, and two or more can be compared`, {
      hint: `\`${nautilCommand('runs')}\` lists them, \`${nautilCommand('runs', 'show', ...ids)}\` shows this one`,
    });
  }
  const [{ findLocalRun, localRuns }, { formatComparison }] = await Promise.all([
    import('../local-runs.js'),
    import('../format-runs.js'),
  ]);
  const all = await localRuns();
  await printResult(
    formatComparison(
      ids.map((id) => findLocalRun(id, all)),
      { width: terminalWidth() },
    ),
  );
}

async function bestRuns({ metric, json }: { metric: Objective; json?: true }): Promise<void> {
  const [{ localRuns }, { formatRuns }] = await Promise.all([import('../local-runs.js'), import('../format-runs.js')]);
  const best = new Map<string, LocalRun>();
  for (const run of await localRuns()) {
    const { status, tags, scores } = run.summary;
    const data = tags['nautil.dataset'] ?? '';
    const score = scores[metric];
    // A sweep has no scores of its own: its trials are runs.
    if (status !== 'FINISHED' || score === undefined || Number.isNaN(score)) continue;
    const before = best.get(data)?.summary.scores[metric];
    if (before === undefined || isBetter(metric, score, before)) best.set(data, run);
  }
  const runs = [...best.values()];
  if (json) return printJson(runs.map(asJson));
  if (runs.length === 0) return printResult(`no finished run of this machine has ${metric}`);
  await printResult(`best by ${metric}, for each data set\n\n${formatRuns(runs, { width: terminalWidth() })}`);
  if (!metric.endsWith('f1_macro'))
    for (const { id, summary } of runs)
      await printResult(`${id}: ${metric} ${(summary.scores[metric] ?? NaN).toFixed(4)}`);
}

const isBetter = (metric: Objective, a: number, b: number): boolean => (metric.endsWith('/loss') ? a < b : a > b);

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
