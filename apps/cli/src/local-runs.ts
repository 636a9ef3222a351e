import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { defineError, listed, nautilCommand } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { findJournals, type JournalSummary } from '@nautil/mlflow';
import { runsFolder } from '@nautil/store/folders';
import { nearestNames } from './nearest-names.js';

/** No run of this machine has the name. */
class UnknownRun extends defineError('UnknownRun', 'usage') {}

/** A run that has a folder in the state folder, as its journal for MLflow describes it. No server is needed to read it. */
export interface LocalRun {
  /** What the user types: the name of the run; of several with one name, all but the newest are `name@1`, `name@2`, …, by age. */
  id: string;

  name: string;
  folder: string;

  /** The log folder that NeMo's exp_manager would create. Absent for a sweep. */
  logDir?: string;

  summary: JournalSummary;
}

const recordSchema = Type.Object({ logDir: Type.String() });
const parseRecord = jsonParser(recordSchema);

/** All runs and sweeps of the state folder, the newest first. */
export async function localRuns(): Promise<LocalRun[]> {
  const summaries = (await findJournals(runsFolder())).filter(({ runName }) => runName !== undefined);
  const total = new Map<string, number>();
  for (const { runName = '' } of summaries) total.set(runName, (total.get(runName) ?? 0) + 1);
  const seen = new Map<string, number>();
  const runs: LocalRun[] = [];
  for (const summary of summaries) {
    const name = summary.runName ?? '';
    const age = (seen.get(name) ?? 0) + 1;
    seen.set(name, age);
    const folder = dirname(summary.journal);
    const record = await recordIn(folder);
    runs.push({ id: age === total.get(name) ? name : `${name}@${age}`, name, folder, summary, ...record });
  }
  return runs.reverse();
}

/** The description of the run, which sweeps do not have. */
async function recordIn(folder: string): Promise<Partial<Static<typeof recordSchema>>> {
  const file = join(folder, 'run.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? {} : { logDir: parseRecord(text, file).logDir };
}

/**
 * Finds a run of this machine by its id or its name.
 *
 * @throws UnknownRun, which names similar ones
 */
export function findLocalRun(wanted: string, runs: readonly LocalRun[]): LocalRun {
  const found = runs.find(({ id }) => id === wanted) ?? runs.find(({ name }) => name === wanted);
  if (found) return found;
  const nearest = nearestNames(
    wanted,
    runs.map(({ id }) => id),
  );
  const list = `\`${nautilCommand('runs')}\` lists the runs of this machine`;
  throw new UnknownRun(`no run ${wanted} has a folder in ${runsFolder()}`, {
    hint: nearest.length === 0 ? list : `did you mean ${listed(nearest)}? ${list}`,
  });
}
