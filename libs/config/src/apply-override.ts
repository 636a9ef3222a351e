import { nautilCommand } from '@nautil/contracts';
import { ConfigError } from './config-error.js';
import {
  cloneNode,
  type ConfigNode,
  emptyMap,
  type ListNode,
  type MapNode,
  mergeInto,
  type OverrideOrigin,
  parsePath,
  put,
  scalar,
  select,
  toPlain,
} from './config-node.js';
import { isSweep, type Override, type OverrideValue, quotingHint } from './parse-override.js';

/**
 * Applies one override of a value, as OmegaConf's update does: maps are merged, and other values are replaced.
 *
 * @throws ConfigError when the override does not apply to the tree
 */
export function applyOverride(root: MapNode, override: Override): void {
  const origin: OverrideOrigin = { kind: 'override', number: override.number, text: override.text };
  const fail = (message: string, hint?: string[]): ConfigError =>
    new ConfigError([{ origin, key: override.key, message, hint }]);
  if (override.package !== undefined) throw fail(`${override.key} is not a group, so it can't have a package (@)`);
  if (isSweep(override.value)) {
    throw fail(`${override.text} gives several values`, [
      `\`${nautilCommand('sweep', override.text)}\` trains once for each of them; ${quotingHint(override.text)}`,
    ]);
  }
  const path = parsePath(override.key);
  if (path.length === 0) throw fail(`${override.text} has no key`, ['write key=value']);
  const present = select(root, path);

  if (override.type === 'delete') {
    if (!present) throw fail(`${override.key} can't be removed, because it does not exist`);
    if (
      override.value &&
      JSON.stringify(toPlain(toNode(override.value, origin))) !== JSON.stringify(toPlain(present))
    ) {
      throw fail(`${override.key} is ${JSON.stringify(toPlain(present))}, so ${override.text} does not remove it`);
    }
    const parent = select(root, path.slice(0, -1));
    if (parent?.kind === 'list') parent.items.splice(Number(path.at(-1)), 1);
    if (parent?.kind === 'map') parent.entries.delete(path.at(-1) ?? '');
    return;
  }

  const value = toNode(override.value ?? { kind: 'scalar', value: '', isFloat: false, quoted: false }, origin);
  const isNull = present?.kind === 'scalar' && present.value === null;
  if (override.type === 'add' && present && !isNull && value.kind === 'scalar') {
    throw fail(`${override.key} already exists, so + can't add it`, [
      `write ${override.text.slice(1)} to change it, or +${override.text} to add or change it`,
    ]);
  }
  setAt(root, path, value, origin, fail);
}

function setAt(
  root: MapNode,
  path: readonly string[],
  value: ConfigNode,
  origin: OverrideOrigin,
  fail: (message: string, hint?: string[]) => ConfigError,
): void {
  let at: MapNode | ListNode = root;
  for (const [depth, key] of path.slice(0, -1).entries()) {
    const next: ConfigNode | undefined = select(at, [key]);
    if (next?.kind === 'map' || next?.kind === 'list') {
      at = next;
    } else if (next?.value != null) {
      throw fail(`${path.slice(0, depth + 1).join('.')} is not a section, so it has no key ${path[depth + 1] ?? ''}`);
    } else {
      if (at.kind === 'list') throw fail(`${path.slice(0, depth).join('.')} has no item ${key}`);
      const section = emptyMap(origin);
      put(at, key, section, origin);
      at = section;
    }
  }
  const key = path.at(-1) ?? '';
  if (at.kind === 'list') {
    if (!/^\d+$/.test(key) || Number(key) >= at.items.length) {
      throw fail(`${path.slice(0, -1).join('.')} has ${at.items.length} items, and no item ${key}`);
    }
    at.items[Number(key)] = value;
    return;
  }
  const present = at.entries.get(key);
  if (present?.kind === 'map' && value.kind === 'map') mergeInto(present, value);
  else put(at, key, cloneNode(value), origin);
}

function toNode(value: OverrideValue, origin: OverrideOrigin): ConfigNode {
  if (value.kind === 'scalar') return scalar(value.value, origin, value.isFloat, value.written);
  if (value.kind === 'list') return { kind: 'list', items: value.items.map((item) => toNode(item, origin)), origin };
  const map = emptyMap(origin);
  for (const [key, item] of value.entries) put(map, key, toNode(item, origin));
  return map;
}
