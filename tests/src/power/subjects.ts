import { checkEventLog, writeEventLog } from '@nautil/activities/testing/event-log-under-power-loss';
import { checkJournal, writeJournal } from '@nautil/mlflow/testing/journal-under-power-loss';
import { checkCheckpoints, writeCheckpoints } from '@nautil/training/testing/checkpoints-under-power-loss';
import { checkDownload, writeDownload } from './download-under-power-loss.js';
import { checkPlaced, writePlaced } from './placed-file-under-power-loss.js';
import { checkEntries, writeEntries } from './store-under-power-loss.js';

/** Code that writes to the disk, and that reads what a power cut has left. */
interface Subject {
  /** Writes into an empty folder. @param mark - records what has been acknowledged so far */
  write(folder: string, mark: (text: string) => void): Promise<void>;

  /** Returns which state was found. @throws when it is neither the old nor the new one */
  check(folder: string, marks: readonly string[]): Promise<string>;
}

export const subjects = {
  checkpoints: { write: writeCheckpoints, check: checkCheckpoints },
  store: { write: writeEntries, check: checkEntries },
  'placed file': { write: writePlaced, check: checkPlaced },
  journal: { write: writeJournal, check: checkJournal },
  download: { write: writeDownload, check: checkDownload },
  'event log': { write: writeEventLog, check: checkEventLog },
} satisfies Record<string, Subject>;

export type SubjectName = keyof typeof subjects;
