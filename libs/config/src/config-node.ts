import type { JsonValue } from '@nautil/contracts';
/** Where a value was written. */
export type Origin = FileOrigin | OverrideOrigin;

export interface FileOrigin {
  kind: 'file';

  /** As shown to people: relative to the workspace root or to where they stand, else absolute. */
  file: string;

  /** One-based. */
  line: number;
  column: number;

  /** True for files of the checkout's own `conf/`. */
  shipped: boolean;
}

export interface OverrideOrigin {
  kind: 'override';

  /** One-based position among the overrides. */
  number: number;
  text: string;
}

/** A value of the configuration that knows where it came from. */
export type ConfigNode = MapNode | ListNode | ScalarNode;

export interface MapNode {
  kind: 'map';
  entries: Map<string, ConfigNode>;
  origin: Origin;

  /** Where each key was written, which is what an unknown key is reported by. */
  keyOrigins: Map<string, Origin>;
}

export interface ListNode {
  kind: 'list';
  items: ConfigNode[];
  origin: Origin;
}

export interface ScalarNode {
  kind: 'scalar';
  value: string | number | boolean | null;

  /** True when a number was written as a float (`1.0`, `1e3`): NeMo's files tell a fraction from a count by that. */
  isFloat: boolean;
  origin: Origin;
}

/** The value that stands for "must be given". */
export const missing = '???';

export function scalar(value: ScalarNode['value'], origin: Origin, isFloat = false): ScalarNode {
  return { kind: 'scalar', value, isFloat: isFloat || (typeof value === 'number' && !Number.isInteger(value)), origin };
}

export function emptyMap(origin: Origin): MapNode {
  return { kind: 'map', entries: new Map(), keyOrigins: new Map(), origin };
}

/** Puts `value` under `key`, remembering where the key was written. */
export function put(map: MapNode, key: string, value: ConfigNode, keyOrigin: Origin = value.origin): void {
  map.entries.set(key, value);
  map.keyOrigins.set(key, keyOrigin);
}

/** The plain value below a node. */
export function toPlain(node: ConfigNode): JsonValue {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, toPlain(value)]));
}

/** A copy that shares nothing with the original. */
export function cloneNode<N extends ConfigNode>(node: N): N {
  const copy = (from: ConfigNode): ConfigNode => {
    if (from.kind === 'scalar') return { ...from };
    if (from.kind === 'list') return { ...from, items: from.items.map(copy) };
    return {
      ...from,
      entries: new Map([...from.entries].map(([key, value]) => [key, copy(value)])),
      keyOrigins: new Map(from.keyOrigins),
    };
  };
  return copy(node) as N;
}

/** The node at a dotted path; list items are addressed by index. */
export function select(node: ConfigNode, path: readonly string[]): ConfigNode | undefined {
  let at: ConfigNode | undefined = node;
  for (const key of path) {
    if (at === undefined || at.kind === 'scalar') return undefined;
    at = at.kind === 'map' ? at.entries.get(key) : /^\d+$/.test(key) ? at.items[Number(key)] : undefined;
  }
  return at;
}

/** `a.b.c` as its parts; the empty path has none. */
export function parsePath(path: string): string[] {
  return path === '' ? [] : path.split('.');
}

/** Merges `from` into `into`: maps key by key, everything else is replaced, as OmegaConf does. */
export function mergeInto(into: MapNode, from: MapNode): void {
  for (const [key, value] of from.entries) {
    const present = into.entries.get(key);
    if (present?.kind === 'map' && value.kind === 'map') mergeInto(present, value);
    else into.entries.set(key, cloneNode(value));
    into.keyOrigins.set(key, from.keyOrigins.get(key) ?? value.origin);
  }
}

/** Every node under `node` with its path, parents before children, in the order written. */
export function* walk(node: ConfigNode, path: string[] = []): Generator<{ path: string[]; node: ConfigNode }> {
  yield { path, node };
  if (node.kind === 'map') for (const [key, value] of node.entries) yield* walk(value, [...path, key]);
  if (node.kind === 'list') for (const [index, item] of node.items.entries()) yield* walk(item, [...path, `${index}`]);
}

/** `conf/sst2.yaml:12`, or `override 2`. */
export function showOrigin(origin: Origin): string {
  return origin.kind === 'file' ? `${origin.file}:${origin.line}` : `override ${origin.number}`;
}

/** True when the value is one that comes with Nautil: nobody chose it. */
export function isShipped(origin: Origin): boolean {
  return origin.kind === 'file' && origin.shipped;
}

/** True when `a` was written after `b`: overrides follow files, and each other in order. */
export function isLater(a: Origin, b: Origin): boolean {
  if (a.kind !== b.kind) return a.kind === 'override';
  if (a.kind === 'override' && b.kind === 'override') return a.number > b.number;
  return isShipped(b) && !isShipped(a);
}
