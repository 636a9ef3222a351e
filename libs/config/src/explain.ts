import type { JsonValue } from '@nautil/contracts';
import { pythonFloat } from '@nautil/python-format';
import { ConfigError } from './config-error.js';
import { missing } from './config-node.js';
import { nearest } from './nearest.js';
import { currentSpelling } from './old-spellings.js';
import { configSchema } from './schema/config-schema.js';
import type { Affects } from './schema/key.js';
import { describeType, leaves, schemaAt, type SchemaNode, sections } from './schema/lookup.js';

/** What the schema says of a key. */
export interface KeyExplanation {
  key: string;

  /** The spelling that was asked for, where it is an older one. */
  oldSpelling?: string;
  description: string;

  /** What the value may be, in words. */
  accepts: string;

  /** The value of the configuration that comes with Nautil, or that the code takes. */
  default: JsonValue;

  /** The default as a file writes it: 1.0 where a fraction is meant. */
  defaultText: string;

  /** What is taken when a file leaves the key out, where that differs. */
  whenAbsent?: JsonValue;

  /** How versions of NeMo and Lightning differ. */
  versions?: string;

  /** The first part of a run that the key can change; `nothing` when it changes no result. */
  affects: Affects;

  /** Why it changes nothing here. */
  noEffect?: string;

  /** What to do instead of values that can't be had. */
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
 * Explains a key or a section; the empty key is the whole. Old spellings are explained as what they are read as.
 *
 * @throws ConfigError for a key that isn't one, with the nearest.
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

/** Every section of the configuration that has keys of its own, in the order of the schema. */
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
  const named = keys.filter((one) => one.split('.').at(-1) === last);
  const lastNames = new Set(keys.map((one) => one.split('.').at(-1) ?? ''));
  const near = nearest(key, keys);
  const nearLast = nearest(last, lastNames);
  const meant =
    named.length > 0 ? named : near !== undefined ? [near] : keys.filter((one) => one.split('.').at(-1) === nearLast);
  return [
    ...(meant.length > 0 ? [`did you mean ${meant.slice(0, 4).join(', ')}?`] : []),
    '`nautil config explain` lists the sections',
  ];
}
