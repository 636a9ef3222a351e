import { writeFileAtomic } from '@nautil/store';
import { readFile } from 'node:fs/promises';
import { readJournalId } from './journal.js';

/** How far a journal has been sent, and to which run; kept in a file beside it. */
export interface Acknowledged {
  journalId: string;

  /** Bytes of the journal that the server has. */
  offset: number;

  runId?: string;
  experimentId?: string;
}

const fileOf = (journal: string): string => `${journal}.sent`;

/** What is known of a journal's sending; offset 0 when nothing is, or when it is known of another journal under the path. */
export async function readAcknowledged(journal: string): Promise<Acknowledged> {
  const journalId = (await readJournalId(journal)) ?? '';
  const kept = await readFile(fileOf(journal), 'utf8').then(parse, () => undefined);
  return kept?.journalId === journalId ? kept : { journalId, offset: 0 };
}

export async function writeAcknowledged(journal: string, acknowledged: Acknowledged): Promise<void> {
  await writeFileAtomic(fileOf(journal), JSON.stringify(acknowledged));
}

function parse(text: string): Acknowledged | undefined {
  try {
    return JSON.parse(text) as Acknowledged;
  } catch {
    return undefined; // lost with the power: all is sent again, and leaves what it left
  }
}
