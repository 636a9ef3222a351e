import type { JsonValue } from '@nautil/contracts';
import { ConfigError } from './config-error.js';
import { type ConfigNode, type Origin, toPlain } from './config-node.js';

/** One entry of a `defaults:` list. */
export type DefaultEntry =
  | { kind: 'self' }
  | { kind: 'config'; name: string; package: string | undefined; optional: boolean; origin: Origin }
  | GroupEntry;

export interface GroupEntry {
  kind: 'group';

  /** The path of the group; a leading slash makes it absolute. */
  group: string;
  package: string | undefined;

  /** null: no option is chosen. */
  options: string[] | null;
  optional: boolean;
  override: boolean;
  origin: Origin;
}

const shape = 'an entry is _self_, a file name, or group: option';

/**
 * Parses a `defaults:` list, as Hydra does.
 *
 * @throws ConfigError for an invalid or unsupported entry, and for entries in the wrong order
 */
export function parseDefaultsList(node: ConfigNode): DefaultEntry[] {
  if (node.kind !== 'list') throw problem(node.origin, 'defaults must be a list', shape);
  const entries = node.items.map(parseEntry);
  if (entries.filter((entry) => entry.kind === 'self').length > 1) {
    throw problem(node.origin, 'defaults contains _self_ twice', 'keep one, at the position where this file is merged');
  }
  const firstOverride = entries.findIndex((entry) => entry.kind === 'group' && entry.override);
  const late = entries.find(
    (entry, index) =>
      firstOverride >= 0 &&
      index > firstOverride &&
      entry.kind !== 'self' &&
      !(entry.kind === 'group' && entry.override),
  );
  if (late && late.kind !== 'self') {
    throw problem(
      late.origin,
      'overrides must be at the end of the defaults list',
      'move this entry before the first override',
    );
  }
  return entries;
}

function parseEntry(node: ConfigNode): DefaultEntry {
  const { origin } = node;
  if (node.kind === 'scalar' && typeof node.value === 'string') {
    if (node.value === '_self_') return { kind: 'self' };
    rejectInterpolation(node.value, origin);
    const { words, name, target } = splitKey(node.value);
    return { kind: 'config', name, package: target, optional: words.includes('optional'), origin };
  }
  const [pair] = node.kind === 'map' ? node.entries : [];
  if (node.kind !== 'map' || !pair || node.entries.size !== 1)
    throw problem(origin, 'this is not an entry of a defaults list', shape);
  const [key, value] = pair;
  const { words, name, target } = splitKey(key);
  const unknown = words.find((word) => word !== 'optional' && word !== 'override');
  if (unknown !== undefined)
    throw problem(origin, `${unknown} is not a keyword of a defaults list`, 'the keywords are optional and override');
  const plain = toPlain(value);
  const options = plain === null ? null : (Array.isArray(plain) ? plain : [plain]).map(optionName);
  for (const option of options ?? []) rejectInterpolation(option, value.origin);
  const [optional, override] = [words.includes('optional'), words.includes('override')];
  return { kind: 'group', group: name, package: target, options, optional, override, origin };
}

function splitKey(key: string): { words: string[]; name: string; target: string | undefined } {
  const words = key.trim().split(/\s+/);
  const [name = '', target] = (words.pop() ?? '').split('@');
  if (target?.includes('_name_'))
    throw new ConfigError([{ message: '_name_ in a package is not supported', hint: ['write the name itself'] }]);
  return { words, name, target };
}

function rejectInterpolation(text: string, origin: Origin): void {
  if (text.includes('${'))
    throw problem(origin, 'interpolation in a defaults list is not supported', 'write the name of the option');
}

function problem(origin: Origin, message: string, hint: string): ConfigError {
  return new ConfigError([{ origin, message, hint: [hint] }]);
}

/** Options are the names of files, but YAML reads a name like 2024 as a number. */
const optionName = (value: JsonValue): string => (typeof value === 'string' ? value : JSON.stringify(value));
