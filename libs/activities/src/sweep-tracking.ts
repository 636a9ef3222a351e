import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SweepOutcome, TrackedSweep, Tracking, TrialRow } from '@nautil/contracts';
import { openTracker, type Tracker } from '@nautil/mlflow';
import { writeFileAtomic } from '@nautil/store';
import { createFolder, runFolder } from '@nautil/store/folders';
import { patienceMs } from './tracking.js';

/** How long closing waits for a slow server. The journal keeps what is left. */
const flushMs = 60_000;

/** Creates or finds the parent of the trials' MLflow runs. */
export async function startSweepTracking(sweep: TrackedSweep, trackingUri: string): Promise<Tracking> {
  return tracking(sweep, trackingUri, async (tracker) => {
    // NOTE: tags instead of params, which are write-once, because a restarted sweep may vary more values.
    tracker.tags(tagsOf(sweep));
    await tracker.flush({ timeoutMs: 10_000 });
  });
}

/** Closes the parent run, with the table as an artifact and the best score under the key of the objective. */
export async function finishSweepTracking(outcome: SweepOutcome, trackingUri: string): Promise<Tracking> {
  return tracking(outcome, trackingUri, async (tracker, folder) => {
    const { objective, rows, status, message } = outcome;
    const table = join(folder, 'trials.csv');
    const content = csvOf(outcome);
    // A retry does not rewrite the file, whose modification time is the metric's timestamp, so that it logs the same row.
    if ((await readFile(table, 'utf8').catch(() => undefined)) !== content) await writeFileAtomic(table, content);
    const [best] = rows;
    if (best?.objective !== undefined) {
      const { mtimeMs } = await stat(table);
      const step = rows.filter((row) => row.objective !== undefined).length;
      tracker.metrics([{ key: objective, value: best.objective, step, timestampMs: Math.trunc(mtimeMs) }]);
      tracker.tags({ 'nautil.sweep.best': best.overrides.join(' ') });
    }
    tracker.artifact(table);
    await tracker.finish(status, message, { timeoutMs: flushMs, patienceMs });
  });
}

async function tracking(
  sweep: TrackedSweep,
  trackingUri: string,
  log: (tracker: Tracker, folder: string) => Promise<void>,
): Promise<Tracking> {
  const folder = runFolder(sweep.sweepId, 'sweep');
  await createFolder(folder);
  const tracker = await openTracker({
    trackingUri,
    ownServer: trackingUri,
    experiment: sweep.experiment,
    workflowId: sweep.sweepId,
    runKey: 'sweep',
    journal: join(folder, 'mlflow.jsonl'),
  });
  try {
    await log(tracker, folder);
    return { runId: tracker.runId, url: tracker.runUrl };
  } finally {
    await tracker.close();
  }
}

const tagsOf = ({ objective, fixed, trials }: TrackedSweep): Record<string, string> => ({
  'nautil.sweep.objective': objective,
  'nautil.sweep.trials': String(trials),
  'nautil.sweep.fixed': fixed.join(' '),
});

/** One line per trial; MLflow's UI shows the file as a table. */
function csvOf({ objective, rows }: Pick<SweepOutcome, 'objective' | 'rows'>): string {
  const columns: [string, (row: TrialRow) => string | number | undefined][] = [
    ['trial', ({ number }) => number],
    ['overrides', ({ overrides }) => overrides.join(' ')],
    ['state', ({ state }) => state],
    [objective, (row) => row.objective],
    ['accuracy', ({ accuracy }) => accuracy],
    ['f1_macro', ({ f1Macro }) => f1Macro],
    ['loss', ({ loss }) => loss],
    ['workflow', ({ workflowId }) => workflowId],
    ['model', ({ nemo }) => nemo],
    ['failure', ({ failure }) => failure && `${failure.type}: ${failure.message}`],
  ];
  const lines = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, of]) => String(of(row) ?? '')))];
  return lines.map((cells) => `${cells.map(quoted).join(',')}\n`).join('');
}

const quoted = (cell: string): string => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
