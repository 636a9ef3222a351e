import { defineError } from '@nautil/contracts';
import type { MlflowClient } from '../client/mlflow-client.js';
import { runUrl } from '../run-url.js';
import { warnOnStderr } from '../warn-on-stderr.js';
import { readJournalId } from './journal.js';
import { JournalSender } from './journal-sender.js';

/** The given file is not the journal of a tracker. */
class NotAJournal extends defineError('NotAJournal', 'data') {}

export interface SyncedJournal {
  runId: string | undefined;
  runUrl: string | undefined;

  /** Bytes that this call sent; 0 when the server already had everything. */
  sentBytes: number;

  /** Records that can never be sent: refused by the server, or damaged. */
  refusals: number;
}

/**
 * Sends the pending records of a journal, after the run has ended or while it is running.
 *
 * @throws NotAJournal, MlflowUnavailable (call it again later), MlflowError
 */
export async function syncJournal(
  journal: string,
  client: MlflowClient,
  o: { warn?: (message: string) => void; signal?: AbortSignal } = {},
): Promise<SyncedJournal> {
  if ((await readJournalId(journal)) === undefined) {
    throw new NotAJournal(`${journal} is not the journal of a run`, {
      hint: 'the journal is in the folder of the run, beside the checkpoints',
    });
  }
  const sender = new JournalSender({
    client: o.signal ? client.until(o.signal) : client,
    journal,
    warn: o.warn ?? warnOnStderr,
  });
  const { offset: before } = await sender.load();
  await sender.send();
  const { runId, experimentId, sentBytes, deadLetters } = sender;
  return {
    runId,
    runUrl:
      runId === undefined || experimentId === undefined ? undefined : runUrl(client.trackingUri, experimentId, runId),
    sentBytes: Math.max(0, sentBytes - before),
    refusals: deadLetters,
  };
}
