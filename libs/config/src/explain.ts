import type { JsonValue } from '@nautil/contracts';
import { pythonFloat } from '@nautil/python-format';
import { ConfigError } from './config-error.js';
import { missing } from './config-node.js';
import { nearest } from './nearest.js';
import { currentSpelling } from './rename-legacy-keys.js';
import { configSchema } from './schema/config-schema.js';
import type { Affects, Need } from './schema/key.js';
import { describeType, leaves, schemaAt, type SchemaNode, sections } from './schema/lookup.js';
import { describeNeeds } from './schema/needs.js';

/** The schema's description of a key. */
export interface KeyExplanation {
  key: string;

  /** The requested key, when it is a legacy name of this one. */
  oldSpelling?: string;
  description: string;

  /** The accepted values, in words. */
  accepts: string;

  /** The value in the shipped configuration; for other keys, the value that the code uses. */
  default: JsonValue;

  /** The default as it is written in a file, such as 1.0 for a fraction. */
  defaultText: string;

  /** The value used when a file leaves the key out, if it differs from the default. */
  whenAbsent?: JsonValue;

  /** How versions of NeMo and Lightning differ. */
  versions?: string;

  /** The first part of a run that the key can change; `nothing` when it changes no result. */
  affects: Affects;

  /** Why the key has no effect in Nautil. */
  noEffect?: string;

  /** The other keys that it needs to have an effect, in words and as data. */
  needs?: string;
  needed?: readonly Need[];

  /** What else it needs, which only a stage of a run can tell. */
  needsFound?: string;

  /** What to do instead of setting an unsupported value. */
  instead?: string;
}

/** A section and its keys. */
export interface SectionExplanation {
  key: string;
  oldSpelling?: string;
  description: string;
  keys: KeyExplanation[];
  sections: { key: string; description: string }[];
}

/**
 * Explains a key or a section; the empty key is the whole configuration. For a legacy name, explains the current key.
 *
 * @throws ConfigError for an unknown key, with suggestions
 */
export function explainKey(key: string): KeyExplanation | SectionExplanation {
  const path = key === '' ? [] : key.split('.');
  const node = schemaAt(configSchema, path);
  if (node) return node.properties ? explainSection(key, node) : explainLeaf(key, node);
  const current = currentSpelling(key);
  if (current !== undefined && schemaAt(configSchema, current.split('.'))) {
    return { ...explainKey(current), oldSpelling: key };
  }
  throw new ConfigError([{ key, message: `${key} is not a known key`, hint: suggestions(key) }]);
}

/** Explains every section that has keys of its own, in the order of the schema. */
export function explainSections(): SectionExplanation[] {
  return [...sections(configSchema)]
    .map(({ path, node }) => explainSection(path.join('.'), node))
    .filter(({ keys }) => keys.length > 0);
}

function explainSection(key: string, node: SchemaNode): SectionExplanation {
  const children = Object.entries(node.properties ?? {}).map(
    ([name, child]) => [key === '' ? name : `${key}.${name}`, child] as const,
  );
  return {
    key,
    description: node.description ?? '',
    keys: children.filter(([, child]) => !child.properties).map(([name, child]) => explainLeaf(name, child)),
    sections: children
      .filter(([, child]) => child.properties)
      .map(([name, child]) => ({ key: name, description: child.description ?? '' })),
  };
}

function explainLeaf(key: string, node: SchemaNode): KeyExplanation {
  return {
    key,
    description: node.description ?? '',
    accepts: describeType(node),
    affects: node.affects ?? 'nothing',
    default: node.default ?? null,
    defaultText: asWritten(node.default ?? null, node.fraction),
    ...(node.whenAbsent === undefined || node.default === missing ? {} : { whenAbsent: node.whenAbsent }),
    ...(node.versions === undefined ? {} : { versions: node.versions }),
    ...(node.noEffect === undefined ? {} : { noEffect: node.noEffect }),
    ...(node.needs === undefined || node.needs.length === 0
      ? {}
      : { needs: describeNeeds(node.needs), needed: node.needs }),
    ...(node.needsFound === undefined ? {} : { needsFound: node.needsFound }),
    ...(node.unsupported === undefined ? {} : { instead: node.unsupported.instead }),
  };
}

function asWritten(value: JsonValue, isFraction = false): string {
  if (isFraction && typeof value === 'number') return pythonFloat(value);
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

function suggestions(key: string): string[] {
  const keys = [
    ...[...sections(configSchema)].map(({ path }) => path.join('.')),
    ...[...leaves(configSchema)].map(({ path }) => path.join('.')),
  ];
  const last = key.split('.').at(-1) ?? '';
  const keysNamed = (name: string | undefined): string[] => keys.filter((known) => known.split('.').at(-1) === name);
  const sameName = keysNamed(last);
  const near = nearest(key, keys);
  const nearestName = nearest(last, new Set(keys.map((known) => known.split('.').at(-1) ?? '')));
  const similar = sameName.length > 0 ? sameName : near !== undefined ? [near] : keysNamed(nearestName);
  return [
    ...(similar.length > 0 ? [`did you mean ${similar.slice(0, 4).join(', ')}?`] : []),
    '`npx nautil config explain` lists the sections',
  ];
}
