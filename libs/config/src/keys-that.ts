import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { type Config, configSchema } from './schema/config-schema.js';
import type { Affects, KeyNotes } from './schema/key.js';
import { leaves, schemaAt, type SchemaNode } from './schema/lookup.js';

/** The keys whose notes in the schema satisfy a condition, as dotted paths. */
export function keysThat(satisfy: (notes: Partial<KeyNotes>) => boolean): string[] {
  return [...leaves(configSchema)].filter(({ node }) => satisfy(node)).map(({ path }) => path.join('.'));
}

/**
 * The values of the keys that affect certain parts of a run, by dotted path. The digests of these parts cover them.
 *
 * @param o.paths - false excludes keys that are paths, for parts whose digest covers the content of the files instead
 */
export function keysAffecting(
  affected: readonly Exclude<Affects, 'nothing'>[],
  config: Config,
  o: { paths: boolean },
): JsonObject {
  const isWanted = ({ affects, path }: SchemaNode): boolean =>
    affected.some((part) => part === affects) && (o.paths || path === undefined);
  const wanted = [...leaves(configSchema)].filter(({ node }) => isWanted(node));
  const values = wanted.map(({ path }) => [path.join('.'), valueAt(config as unknown as JsonObject, path)] as const);
  return Object.fromEntries(values.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined));
}

/** Whether a key has a value other than its default, and other than the one that it has when a file leaves it out. */
export function isChanged(key: string, config: Config): boolean {
  const path = key.split('.');
  const { default: usual, whenAbsent } = schemaAt(configSchema, path) ?? {};
  const value = valueAt(config, path) ?? null;
  return value !== null && [usual, whenAbsent].every((other) => JSON.stringify(value) !== JSON.stringify(other));
}

/** The changed keys that need another key to have a value. When that value names nothing that exists, they have no effect either. */
export function changedKeysNeeding(needed: string, config: Config): string[] {
  const isNeeding = ({ needs = [] }: Partial<KeyNotes>): boolean =>
    needs.flat().some((requirement) => requirement.key === needed && 'isNot' in requirement);
  return keysThat(isNeeding).filter((key) => isChanged(key, config));
}

const valueAt = (tree: JsonValue, path: readonly string[]): JsonValue | undefined =>
  path.reduce<JsonValue | undefined>((at, name) => (isJsonObject(at) ? at[name] : undefined), tree);
