import { readFile } from 'node:fs/promises';
import type { ResolvedRun } from '@nautil/contracts';
import { settingsFrom, type JsonObject, type Settings } from '@nautil/config';

/** The resolved configuration of a run, read back from its file. */
export async function configOf(run: Pick<ResolvedRun, 'config'>): Promise<{ tree: JsonObject; settings: Settings }> {
  const tree = JSON.parse(await readFile(run.config.path, 'utf8')) as JsonObject;
  return { tree, settings: settingsFrom(tree) };
}

/** Part of the hash of a stage that is made again on request: the token is absent for all other runs. */
export function redoOf(run: ResolvedRun, stage: Parameters<typeof stageIndex>[0]): string | undefined {
  return run.redo && stageIndex(stage) >= stageIndex(run.redo.from) ? run.redo.token : undefined;
}

const order = ['download', 'convert', 'cache', 'tokenize', 'train', 'evaluate', 'package'] as const;
const stageIndex = (stage: (typeof order)[number]): number => order.indexOf(stage);
