import { isJsonObject, type JsonObject, type JsonValue, valueAt } from '@nautil/contracts';
import { pythonFloat } from '@nautil/python-format';
import { type ConfigNode, emptyMap, type Origin, put, scalar } from './config-node.js';
import { printYaml } from './print-yaml.js';
import { configSchema } from './schema/config-schema.js';
import { leaves, schemaAt, type SchemaNode } from './schema/lookup.js';

const origin: Origin = { kind: 'override', number: 0, text: '' };

/**
 * Prints a tree of `loadConfig` as YAML from which `loadConfig` reads the same tree. JSON does not distinguish 1.0 from 1, but
 * the schema does: a key that holds fractions is printed as a float.
 */
export function printConfig(tree: JsonObject): string {
  return printYaml(nodeOf(tree, []));
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

function nodeOf(value: JsonValue, path: readonly string[]): ConfigNode {
  if (isJsonObject(value)) {
    const map = emptyMap(origin);
    for (const [key, inner] of Object.entries(value)) put(map, key, nodeOf(inner, [...path, key]));
    return map;
  }
  const schema = schemaAt(configSchema, path);
  if (Array.isArray(value)) return { kind: 'list', items: value.map((item) => nodeOf(item, [...path, '[]'])), origin };
  if (typeof value === 'number') return scalar(value, origin, schema !== undefined && isFloat(value, schema));
  if (schema?.fraction && value === '1') return scalar(1, origin);
  // `${` in a resolved text is literal, and has to stay so.
  return scalar(typeof value === 'string' ? value.replaceAll('${', '\\${') : value, origin);
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
