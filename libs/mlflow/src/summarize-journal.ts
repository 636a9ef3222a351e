import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readAcknowledged } from './acknowledged.js';
import type { RunStatus } from './entities.js';
import { readJournal, readJournalId } from './journal.js';

/** What a journal tells of its run without a server. */
export interface JournalSummary {
  /** Path of the journal. */
  journal: string;

  experiment?: string;
  runName?: string;

  /** When the run was begun, in milliseconds since the epoch. */
  startedMs?: number;

  /** RUNNING as long as the journal says nothing of an end, which a run that was killed never does. */
  status: RunStatus;

  /** The run in MLflow; absent until the server has answered once. */
  runId?: string | undefined;

  records: number;

  /** Records that the server has not acknowledged. */
  unsent: number;
}

/** Reads a journal through, and how far it was sent. */
export async function summarizeJournal(journal: string): Promise<JournalSummary> {
  const { offset, runId } = await readAcknowledged(journal);
  const summary: JournalSummary = { journal, status: 'RUNNING', records: 0, unsent: 0 };
  if (runId !== undefined) summary.runId = runId;
  for (let at = 0; ;) {
    const { records, end } = await readJournal(journal, at, 1024 * 1024);
    if (end === at) return summary;
    at = end;
    for (const { record, end } of records) {
      summary.records++;
      if (end > offset) summary.unsent++;
      if (record.type === 'end') summary.status = record.status;
      if (record.type !== 'open') continue;
      const { experiment, runName, timestampMs } = record;
      summary.startedMs ??= timestampMs;
      Object.assign(summary, { experiment, runName, status: 'RUNNING' });
    }
  }
}

/** The journals in a folder and below it, oldest run first; none when there is no such folder. */
export async function findJournals(folder: string): Promise<JournalSummary[]> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  const summaries: JournalSummary[] = [];
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    if (!file.isFile() || !file.name.endsWith('.jsonl') || (await readJournalId(path)) === undefined) continue;
    summaries.push(await summarizeJournal(path));
  }
  return summaries.sort((a, b) => (a.startedMs ?? 0) - (b.startedMs ?? 0) || (a.journal < b.journal ? -1 : 1));
}
