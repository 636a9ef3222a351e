import { readFile } from 'node:fs/promises';
import type { ResolvedRun, Stage } from '@nautil/contracts';
import { settingsFrom, type JsonObject, type Settings } from '@nautil/config';

/** The resolved configuration of a run, read back from its file. */
export async function configOf(run: Pick<ResolvedRun, 'config'>): Promise<{ tree: JsonObject; settings: Settings }> {
  const tree = JSON.parse(await readFile(run.config.path, 'utf8')) as JsonObject;
  return { tree, settings: settingsFrom(tree) };
}

/** Part of the hash of a stage that was asked for again; absent for all others. */
export const redoOf = (run: ResolvedRun, stage: Stage): string | undefined => run.redone?.[stage];
