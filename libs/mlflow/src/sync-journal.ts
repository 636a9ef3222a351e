import { defineError } from '@nautil/contracts';
import { readJournalId } from './journal.js';
import { JournalSender } from './journal-sender.js';
import type { MlflowClient } from './mlflow-client.js';
import { runUrl } from './ui-address.js';

/** A file that was given as a tracker's journal and is none. */
export class NotAJournal extends defineError('NotAJournal', 'data') {}

export interface SyncedJournal {
  runId: string | undefined;
  runUrl: string | undefined;

  /** Bytes that were sent now; 0 when the server had everything. */
  sentBytes: number;

  /** Records that the server refuses for good. */
  refusals: number;
}

/**
 * Sends what a journal holds and its server does not have yet, after the run or beside it.
 *
 * @throws NotAJournal, MlflowUnavailable (call it again later), MlflowError
 */
export async function syncJournal(
  journal: string,
  client: MlflowClient,
  o: { warn?: (message: string) => void; signal?: AbortSignal } = {},
): Promise<SyncedJournal> {
  if ((await readJournalId(journal)) === undefined) {
    throw new NotAJournal(`${journal} is no journal of a run`, {
      hint: 'a run keeps it in its folder, beside the checkpoints',
    });
  }
  const sender = new JournalSender({
    client: o.signal ? client.until(o.signal) : client,
    journal,
    warn: o.warn ?? console.warn,
  });
  await sender.load();
  const before = sender.sentBytes;
  await sender.send();
  const { runId, experimentId, sentBytes, refusals } = sender;
  return {
    runId,
    runUrl: runId && experimentId ? runUrl(client.trackingUri, experimentId, runId) : undefined,
    sentBytes: Math.max(0, sentBytes - before),
    refusals,
  };
}
