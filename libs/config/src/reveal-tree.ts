import { isJsonObject, type JsonObject } from '@nautil/contracts';
import { type FromEnvironment, plainTree } from './plain-tree.js';
import { nodeOf } from './print-config.js';
import { resolveInterpolations } from './resolve-interpolations.js';

/**
 * The tree of `loadConfig` with the values of the environment in place of the references to it. The result is only used: what
 * is stored, logged or sent is the tree itself.
 *
 * @throws ConfigError for a variable that is no longer set
 */
export function revealTree(
  tree: JsonObject,
  { names, keys }: FromEnvironment,
  values: Readonly<Record<string, string | undefined>> = process.env,
): JsonObject {
  if (keys.length === 0) return tree;
  const revealed = plainTree(resolveInterpolations(nodeOf(tree, keys), { values, allowed: names }));
  if (!isJsonObject(revealed)) throw new TypeError('the tree of a configuration is a map');
  return revealed;
}
