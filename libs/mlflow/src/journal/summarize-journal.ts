import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunStatus } from '../client/run.js';
import { packagedStepTag } from '../names.js';
import { readJournal, readJournalId } from './journal.js';
import { readJournalPosition } from './journal-position.js';
import type { JournalRecord } from './journal-record.js';

/** The state of a run according to its journal, read without a server. */
export interface JournalSummary {
  /** Path of the journal. */
  journal: string;

  experiment?: string;
  runName?: string;

  /** When the run started, in milliseconds since the epoch. */
  startedMs?: number;

  /** RUNNING until the journal records an end. A run that was killed never records one. */
  status: RunStatus;

  /** The run in MLflow; absent until the server has responded once. */
  runId?: string | undefined;

  records: number;

  /** Records that are pending: the server has not acknowledged them. */
  unsent: number;

  /** Time between starts and ends, in milliseconds; not the time between an end and a resumption. Absent until the first end. */
  durationMs?: number;

  /** Why the run failed. */
  message?: string;

  tags: Record<string, string>;
  params: Record<string, string>;

  /**
   * One evaluation of each set, by the keys of its metrics: `val/f1_macro`, `test/loss`, …. Of a run that has finished, that of its packaged
   * weights; of others, the newest.
   */
  scores: Record<string, number>;

  /** The step of the packaged weights, of which the scores are. Absent for a run without an archive. */
  packagedStep?: number;
}

/** Reads a whole journal, and how far it has been sent. */
export async function summarizeJournal(journal: string): Promise<JournalSummary> {
  const { offset: sentBytes, runId } = await readJournalPosition(journal);
  const summary: JournalSummary = {
    journal,
    status: 'RUNNING',
    records: 0,
    unsent: 0,
    tags: {},
    params: {},
    scores: {},
  };
  if (runId !== undefined) summary.runId = runId;
  const state: SummaryState = { evaluations: new Map(), test: {} };
  for (let offset = 0; ;) {
    const { entries, end: readEnd } = await readJournal(journal, offset);
    if (readEnd === offset) return { ...summary, ...scoresOf(summary, state) };
    offset = readEnd;
    for (const { record, end } of entries) {
      summary.records++;
      if (end > sentBytes) summary.unsent++;
      addRecord(summary, record, state);
    }
  }
}

interface SummaryState {
  /** When the part of the run that has not ended yet was started. */
  openedMs?: number | undefined;

  /** Those on the validation set, by step. */
  evaluations: Map<number, Record<string, number>>;

  /** The one on the test set, which is of the packaged weights. */
  test: Record<string, number>;
}

/** The scores of the packaged weights, or the newest of each set without an archive. */
function scoresOf(
  { status, tags }: JournalSummary,
  { evaluations, test }: SummaryState,
): Pick<JournalSummary, 'scores' | 'packagedStep'> {
  const step = tags[packagedStepTag];
  if (status !== 'FINISHED' || step === undefined)
    return { scores: Object.assign({}, ...evaluations.values(), test) as JournalSummary['scores'] };
  return { scores: { ...evaluations.get(Number(step)), ...test }, packagedStep: Number(step) };
}

function addRecord(summary: JournalSummary, record: JournalRecord, state: SummaryState): void {
  switch (record.type) {
    case 'open': {
      const { experiment, runName, timestampMs, tags } = record;
      summary.startedMs ??= timestampMs;
      state.openedMs ??= timestampMs;
      Object.assign(summary.tags, tags);
      Object.assign(summary, { experiment, runName, status: 'RUNNING' });
      delete summary.message;
      break;
    }
    case 'end':
      summary.status = record.status;
      if (record.message !== undefined) summary.message = record.message;
      summary.durationMs = (summary.durationMs ?? 0) + record.timestampMs - (state.openedMs ?? record.timestampMs);
      state.openedMs = undefined;
      break;
    case 'params':
      Object.assign(summary.params, record.params);
      break;
    case 'tags':
      Object.assign(summary.tags, record.tags);
      break;
    case 'metrics':
      for (const [key, value, step] of record.rows) {
        const [, split, score] = /^(val|test)\/(?:detail\/)?([^/]+)$/.exec(key) ?? [];
        if (split === undefined || score === undefined) continue;
        const scores = split === 'test' ? state.test : (state.evaluations.get(step) ?? {});
        scores[`${split}/${score}`] = Number(value);
        if (split === 'val') state.evaluations.set(step, scores);
      }
      break;
    case 'artifact':
    case 'datasets':
    case 'text':
    case 'register':
      break;
  }
}

/** Summarizes the journals in a folder and below it, the oldest run first; empty when the folder does not exist. */
export async function findJournals(folder: string): Promise<JournalSummary[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  const summaries: JournalSummary[] = [];
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    if (!file.isFile() || !file.name.endsWith('.jsonl') || (await readJournalId(path)) === undefined) continue;
    summaries.push(await summarizeJournal(path));
  }
  return summaries.sort((a, b) => (a.startedMs ?? 0) - (b.startedMs ?? 0) || (a.journal < b.journal ? -1 : 1));
}
