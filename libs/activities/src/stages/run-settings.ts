import { readFile } from 'node:fs/promises';
import { type Config, keysAffecting, readConfig } from '@nautil/config';
import type { JsonObject, ResolvedRun, Stage } from '@nautil/contracts';
import { parseConfigTree } from '@nautil/contracts/schemas';
import { canonicalJson, sha256Of } from '@nautil/store';

/** The resolved configuration of a run, read back from its file. */
export async function configOf(run: Pick<ResolvedRun, 'config'>): Promise<{ tree: JsonObject; config: Config }> {
  const { path } = run.config;
  const tree = parseConfigTree(await readFile(path, 'utf8'), path);
  return { tree, config: readConfig(tree) };
}

/** Token of a stage that the user requested again, which changes the hash of its inputs; undefined for all other stages. */
export const redoOf = (run: ResolvedRun, stage: Stage): string | undefined => run.redone?.[stage];

/**
 * Digest of the values that affect the result of a run, at any stage.
 *
 * @param o.paths - false: without paths, for a digest that equal runs share wherever their files are
 */
export const resultDigestOf = (config: Config, o: { paths: boolean }): string =>
  sha256Of(canonicalJson(keysAffecting(['inputs', 'training', 'evaluation', 'package'], config, o)));
