import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, keysAffecting, readConfig, revealTree } from '@nautil/config';
import { type JsonObject, type LabelledData, type ResolvedRun, type Stage, withValueAt } from '@nautil/contracts';
import { parseConfigTree } from '@nautil/contracts/schemas';
import { canonicalJson, requireIntact, sha256Of } from '@nautil/store';
import { EnvironmentChanged } from '../errors.js';

type Configured = Pick<ResolvedRun, 'config' | 'configDigest' | 'fromEnvironment'>;

/**
 * The resolved configuration of a run, read back from its file. The file and the tree contain references to the environment,
 * and are what is stored and shown. `config` contains the values, which are only used.
 *
 * @throws ConfigError, EnvironmentChanged if the environment is not that of the worker that resolved the run
 */
export async function configOf(run: Configured): Promise<{ tree: JsonObject; config: Config }> {
  await requireIntact(run.config);
  const { path } = run.config;
  const tree = parseConfigTree(await readFile(path, 'utf8'), path);
  const config = revealedConfig(run, tree);
  if (run.fromEnvironment !== undefined && resultDigestOf(config, { paths: true }) !== run.configDigest)
    throw new EnvironmentChanged(run.fromEnvironment.names);
  return { tree, config };
}

const revealedConfig = ({ fromEnvironment }: Configured, tree: JsonObject): Config =>
  readConfig(fromEnvironment === undefined ? tree : revealTree(tree, fromEnvironment));

/** Key of the number of classes, which the configuration may leave open. The convert stage counts them then. */
export const numClassesKey = 'model.dataset.num_classes';

/** The configuration that runs: the resolved one, with the number of classes that was counted if it leaves that open. */
export async function countedConfigOf(
  run: Configured,
  { numClasses, numClassesCounted }: Pick<LabelledData, 'numClasses' | 'numClassesCounted'>,
): Promise<{ tree: JsonObject; config: Config }> {
  const resolved = await configOf(run);
  if (!numClassesCounted) return resolved;
  const tree = withValueAt(resolved.tree, numClassesKey, numClasses);
  return { tree, config: revealedConfig(run, tree) };
}

/** The file of the configuration that ran, as YAML that can be run again. The convert stage writes it. */
export const savedConfigFile = ({ folder }: Pick<ResolvedRun, 'folder'>): string => join(folder, 'config.yaml');

/** Token of a stage that the user requested again, which changes the hash of its inputs; undefined for all other stages. */
export const redoOf = (run: Pick<ResolvedRun, 'redone'>, stage: Stage): string | undefined => run.redone?.[stage];

/**
 * Digest of the values that affect the result of a run, at any stage.
 *
 * @param o.paths - false: without paths, for a digest that equal runs share wherever their files are
 */
export const resultDigestOf = (config: Config, o: { paths: boolean }): string =>
  sha256Of(canonicalJson(keysAffecting(['inputs', 'training', 'evaluation', 'package'], config, o)));
