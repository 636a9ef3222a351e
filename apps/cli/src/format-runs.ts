import { largest } from '@nautil/contracts';
import { type Column, displayWidth, layOutTable } from '@nautil/metrics';
import type { JournalSummary } from '@nautil/mlflow';
import type { LocalRun } from './local-runs.js';
import { formatDuration } from './terminal/format-duration.js';
import { typedPath } from './try-command.js';

const left = (title: string): Column => ({ title, align: 'left' });
const right = (title: string): Column => ({ title, align: 'right' });

/** How runs are listed: MLflow's states in words. A journal without an end is that of a run that goes on, or was killed. */
const states: Record<JournalSummary['status'], string> = {
  RUNNING: 'not ended',
  SCHEDULED: 'not ended',
  FINISHED: 'finished',
  FAILED: 'failed',
  KILLED: 'cancelled',
};

/** `2026-11-27 02:23`, in the local time zone. */
function formatTime(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

const percent = (score: number | undefined): string => (score === undefined ? '' : (score * 100).toFixed(2));

/** A table of runs, one for each line. @param o.width - of the terminal */
export function formatRuns(runs: readonly LocalRun[], o: { width?: number } = {}): string {
  const hasUnsent = runs.some(({ summary }) => summary.unsent > 0);
  const columns: Column[] = [
    left('run'),
    left('state'),
    { ...right('test F1 %'), short: 'test F1' },
    { ...right('val F1 %'), short: 'val F1' },
    { ...left('model'), optional: 2 },
    { ...left('data'), optional: 1 },
    right('duration'),
    { ...left('started'), optional: 3 },
    ...(hasUnsent ? [right('unsent')] : []),
  ];
  return layOutTable(
    columns,
    runs.map(({ id, summary }) => [
      id,
      states[summary.status],
      percent(summary.scores['test/f1_macro']),
      percent(summary.scores['val/f1_macro']),
      summary.tags['nautil.model'] ?? '',
      summary.tags['nautil.dataset'] ?? '',
      durationOf(summary),
      summary.startedMs === undefined ? '' : formatTime(summary.startedMs),
      ...(hasUnsent ? [summary.unsent === 0 ? '' : `${summary.unsent} of ${summary.records}`] : []),
    ]),
    o,
  );
}

const durationOf = ({ durationMs }: JournalSummary): string =>
  durationMs === undefined ? '' : formatDuration(durationMs / 1000);

/** Everything about one run that its journal has, as lines. @param commands - what can be done next, each a command */
export function formatRun({ name, folder, logDir, summary }: LocalRun): string {
  const { status, startedMs, experiment, tags, params, message, unsent, records } = summary;
  const facts: (readonly [string, string | undefined])[] = [
    ['state', message === undefined ? states[status] : `${states[status]}: ${message}`],
    ['started', startedMs === undefined ? undefined : formatTime(startedMs)],
    ['duration', durationOf(summary) || undefined],
    ['experiment', experiment],
    ['model', tags['nautil.model']],
    ['data', tags['nautil.dataset']],
    ['examples', examplesIn(tags)],
    ['device', tags['nautil.device']],
    ['best', tags['nautil.best']],
    ['archive', archiveIn(params)],
    ['logs', logDir],
    ['folder', folder],
    ...problemsIn(tags).map((problem) => ['problem', problem] as const),
    ['MLflow', unsent === 0 ? 'has all records' : `lacks ${unsent} of ${records} records`],
  ];
  const width = largest(facts.map(([title]) => title.length));
  return [
    name,
    ...facts.flatMap(([title, value]) => (value === undefined ? [] : [`  ${title.padEnd(width)}  ${value}`])),
    '',
    formatScores(summary),
  ]
    .join('\n')
    .trimEnd();
}

/** The sentences on what may be wrong with the model, each with its remedy: the list in MLflow's description of the run. */
const problemsIn = ({
  'nautil.findings': codes = 'none',
  'mlflow.note.content': note = '',
}: Record<string, string>): string[] =>
  codes === 'none' ? [] : note.split('\n').flatMap((line) => (line.startsWith('- ') ? [line.slice(2)] : []));

const examplesIn = (tags: Record<string, string>): string | undefined => {
  const { 'nautil.train_examples': train, 'nautil.validation_examples': validation } = tags;
  return train === undefined ? undefined : `${train} train, ${validation ?? 0} validation`;
};

/** The path of the archive in the configuration; `null` there means that it stays in the folder of the run. */
export const archiveIn = (params: Record<string, string>): string | undefined => {
  const path = params['model.nemo_path'];
  return path === 'null' ? undefined : path;
};

const scoreNames = ['loss', 'accuracy', 'precision_macro', 'recall_macro', 'f1_macro', 'f1_micro', 'f1_weighted'];

/** The scores of a run on each set, and whose they are. */
function formatScores({ scores, packagedStep }: JournalSummary): string {
  const splits = ['val', 'test'].filter((split) => scores[`${split}/loss`] !== undefined);
  if (splits.length === 0) return '';
  const table = layOutTable(
    [left('score'), ...splits.map(right)],
    scoreNames.map((name) => [name, ...splits.map((split) => scoreCell(scores[`${split}/${name}`]))]),
  );
  const ofWhich =
    packagedStep === undefined ? 'newest scores' : `scores of the packaged weights (step ${packagedStep})`;
  return `${ofWhich}\n${table}`;
}

const scoreCell = (score: number | undefined): string => score?.toFixed(4) ?? '';

/** The settings and scores in which runs differ, a column for each run. */
export function formatComparison(runs: readonly LocalRun[], o: { width?: number } = {}): string {
  const columns = [left(''), ...runs.map(({ id }) => right(id))];
  const settingRows = [
    ...differing(runs, ({ summary }) => ({
      model: summary.tags['nautil.model'] ?? '',
      data: summary.tags['nautil.dataset'] ?? '',
      state: states[summary.status],
      duration: durationOf(summary),
      commit: summary.tags['mlflow.source.git.commit']?.slice(0, 7) ?? '',
    })),
    ...differing(runs, ({ summary: { params } }) => params),
  ];
  const rows = settingRows.map(([key = '', ...values]) => [key, ...fitValues(values, o.width)]);
  const scoreKeys = ['val', 'test'].flatMap((split) => scoreNames.map((name) => `${split}/${name}`));
  const steps = runs.map(({ summary }) => summary.packagedStep);
  const scores = scoreKeys
    .filter((key) => runs.some(({ summary }) => summary.scores[key] !== undefined))
    .map((key) => [key, ...runs.map(({ summary }) => scoreCell(summary.scores[key]))]);
  if (scores.length > 0 && steps.some((step) => step !== undefined))
    scores.unshift(['packaged step', ...steps.map((step) => (step === undefined ? 'newest' : String(step)))]);
  const settings = rows.length === 0 ? 'all settings are equal' : layOutTable(columns, rows, o);
  return [settings, ...(scores.length === 0 ? [] : [layOutTable(columns, scores, o)])].join('\n\n');
}

/** Values of runs in at most two thirds of a terminal: paths as they are typed here, and of longer values the end, which differs. */
function fitValues(values: readonly string[], width = Infinity): string[] {
  const room = Math.max(leastValue, Math.floor((2 * width) / 3 / values.length) - 2);
  return values.map((value) => cutStart(value.startsWith('/') ? typedPath(value) : value, room));
}

const leastValue = 8;

function cutStart(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const characters = [...text];
  let end = '';
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    if (displayWidth(last + end) > width - 1) break;
    end = last + end;
  }
  return `…${end}`;
}

function differing(
  runs: readonly LocalRun[],
  valuesOf: (run: LocalRun) => Record<string, string>,
): (readonly string[])[] {
  const values = runs.map(valuesOf);
  const keys = [...new Set(values.flatMap((one) => Object.keys(one)))];
  return keys
    .map((key) => [key, ...values.map((one) => one[key] ?? '')])
    .filter(([, ...cells]) => new Set(cells).size > 1);
}
