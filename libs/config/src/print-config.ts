import { isJsonObject, type JsonObject, type JsonValue, maskSecrets, valueAt } from '@nautil/contracts';
import { pythonFloat } from '@nautil/python-format';
import { type ConfigNode, emptyMap, type MapNode, type Origin, put, scalar } from './config-node.js';
import { printYaml } from './print-yaml.js';
import { escapeReferences } from './resolve-interpolations.js';
import { configSchema } from './schema/config-schema.js';
import { leaves, schemaAt, type SchemaNode } from './schema/lookup.js';

const origin: Origin = { kind: 'override', number: 0, text: '' };

/**
 * Prints a tree of `loadConfig` as YAML from which `loadConfig` reads the same tree. JSON does not distinguish 1.0 from 1, but
 * the schema does: a key that holds fractions is printed as a float. Passwords and signatures in addresses are masked, and are
 * therefore not read again.
 *
 * @param o.keys - the keys of the tree that contain references to the environment
 */
export function printConfig(tree: JsonObject, { keys = [] }: { keys?: readonly string[] } = {}): string {
  return maskSecrets(printYaml(nodeOf(tree, keys)));
}

/** The tree as nodes, in which only the given keys contain references. */
export function nodeOf(tree: JsonObject, references: readonly string[]): MapNode {
  const node = nodeAt(tree, [], [], new Set(references));
  if (node.kind !== 'map') throw new TypeError('the tree of a configuration is a map');
  return node;
}

/**
 * The texts of whole numbers that are floats, by dotted path: `{ 'trainer.val_check_interval': '1.0' }`. As JSON they would
 * read as integers, which the configuration distinguishes from fractions.
 */
export function wholeFloats(tree: JsonObject): Record<string, string> {
  const texts = [...leaves(configSchema)].flatMap(({ path, node }): [string, string][] => {
    const key = path.join('.');
    const value = valueAt(tree, key);
    if (typeof value !== 'number' || !Number.isInteger(value) || !isFloat(value, node)) return [];
    return [[key, pythonFloat(value)]];
  });
  return Object.fromEntries(texts);
}

/** @param path - in the schema, which has one entry for all items of a list */
function nodeAt(
  value: JsonValue,
  path: readonly string[],
  place: readonly string[],
  references: ReadonlySet<string>,
): ConfigNode {
  if (isJsonObject(value)) {
    const map = emptyMap(origin);
    for (const [key, inner] of Object.entries(value))
      put(map, key, nodeAt(inner, [...path, key], [...place, key], references));
    return map;
  }
  const schema = schemaAt(configSchema, path);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => nodeAt(item, [...path, '[]'], [...place, String(index)], references));
    return { kind: 'list', items, origin };
  }
  if (typeof value === 'number') return scalar(value, origin, schema !== undefined && isFloat(value, schema));
  if (schema?.fraction && value === '1') return scalar(1, origin);
  if (typeof value !== 'string' || references.has(place.join('.'))) return scalar(value, origin);
  // `${` in a resolved text is literal, and has to stay so.
  return scalar(escapeReferences(value), origin);
}

/** Whether a number at a key is a float. An amount of batches above 1 is a count; see `BatchAmount`. */
function isFloat(value: number, schema: SchemaNode): boolean {
  if (schema.fraction && value > 1) return !Number.isInteger(value);
  return takes('number', schema) && !takes('integer', schema);
}

const takes = (type: string, schema: SchemaNode): boolean =>
  schema.type === type ||
  (Array.isArray(schema.type) && schema.type.includes(type)) ||
  (schema.anyOf ?? []).some((option) => takes(type, option));
