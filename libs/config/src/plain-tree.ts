import type { JsonValue } from '@nautil/contracts';
import { type ConfigNode, toPlain } from './config-node.js';
import { configSchema } from './schema/config-schema.js';
import { schemaAt } from './schema/lookup.js';

/** What a tree has from the environment. */
export interface FromEnvironment {
  /** The variables that it refers to. */
  names: string[];

  /** The keys whose values are texts with references, such as `${oc.env:NAME}`; an item of a list has its index. */
  keys: string[];
}

/**
 * Converts a tree to JSON.
 *
 * NOTE: for Lightning, 1.0 means all batches and 1 means one batch, but JSON does not distinguish the two. One batch is
 * therefore stored as the text "1", which also gives the two different digests.
 */
export function plainTree(node: ConfigNode, path: readonly string[] = []): JsonValue {
  if (node.kind === 'map') {
    const entries = [...node.entries].map(([key, value]) => [key, plainTree(value, [...path, key])] as const);
    return Object.fromEntries(entries);
  }
  const isOneBatch = node.kind === 'scalar' && node.value === 1 && !node.isFloat;
  return isOneBatch && schemaAt(configSchema, path)?.fraction ? '1' : toPlain(node);
}

/** A copy of the tree with the texts that stand for values from the environment. */
export function shownTree(node: ConfigNode): ConfigNode {
  if (node.kind === 'scalar') return node.shown === undefined ? node : { ...node, value: node.shown, isFloat: false };
  if (node.kind === 'list') return { ...node, items: node.items.map(shownTree) };
  return { ...node, entries: new Map([...node.entries].map(([key, value]) => [key, shownTree(value)])) };
}
