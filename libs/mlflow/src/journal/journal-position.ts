import { readFile, stat } from 'node:fs/promises';
import { type Static, Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { writeFileAtomic } from '@nautil/store';
import { readJournalId } from './journal.js';

const schema = Type.Object({
  journalId: Type.String(),

  /** Bytes of the journal that the server has acknowledged; the records after them are pending. */
  offset: Type.Integer({ minimum: 0 }),

  runId: Type.Optional(Type.String()),
  experimentId: Type.Optional(Type.String()),
});

/** How far a journal has been sent, and to which run. It is stored in a file beside the journal. */
export type JournalPosition = Static<typeof schema>;

const parsePosition = jsonParser(schema);
const fileOf = (journal: string): string => `${journal}.sent`;

/** The position of a journal; offset 0 when none is stored, or when the stored one belongs to an earlier journal. */
export async function readJournalPosition(journal: string): Promise<JournalPosition> {
  const journalId = (await readJournalId(journal)) ?? '';
  const file = fileOf(journal);
  try {
    const stored = parsePosition(await readFile(file, 'utf8'), file);
    if (stored.journalId === journalId && stored.offset <= (await stat(journal)).size) return stored;
  } catch {
    // Missing or damaged. Everything is sent again, which has no further effect.
  }
  return { journalId, offset: 0 };
}

export async function writeJournalPosition(journal: string, position: JournalPosition): Promise<void> {
  await writeFileAtomic(fileOf(journal), JSON.stringify(position));
}
