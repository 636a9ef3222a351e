import type { JsonValue } from '@nautil/contracts';

/** The source of a value. */
export type Origin = FileOrigin | OverrideOrigin;

export interface FileOrigin {
  kind: 'file';

  /** The path for display: relative to the package or to the working directory if it is inside one of them, else absolute. */
  file: string;

  /** One-based. */
  line: number;
  column: number;

  /** True for files in Nautil's own `conf/`. */
  shipped: boolean;
}

export interface OverrideOrigin {
  kind: 'override';

  /** The one-based position among the overrides. */
  number: number;
  text: string;
}

/** A value of the configuration, with its source. */
export type ConfigNode = MapNode | ListNode | ScalarNode;

export interface MapNode {
  kind: 'map';
  entries: Map<string, ConfigNode>;
  origin: Origin;

  /** The source of each key, for reports of unknown keys. */
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

  /** True when a number was written as a float (`1.0`, `1e3`), which in NeMo's files distinguishes a fraction from a count. */
  isFloat: boolean;

  /** How the number was written; present only where a number of JavaScript cannot hold it: 99999999999999999999, or 1e999. */
  written?: string;
  origin: Origin;

  /** The text that stands for a value from the environment wherever it is stored, such as `${oc.env:NAME}`. */
  shown?: string;
}

/** The value of a key that must be set, as in OmegaConf. */
export const missing = '???';

export function scalar(value: ScalarNode['value'], origin: Origin, isFloat = false, written?: string): ScalarNode {
  return {
    kind: 'scalar',
    value,
    isFloat: isFloat || (typeof value === 'number' && !Number.isInteger(value)),
    ...(written === undefined ? {} : { written }),
    origin,
  };
}

export function emptyMap(origin: Origin): MapNode {
  return { kind: 'map', entries: new Map(), keyOrigins: new Map(), origin };
}

/** Sets `key` to `value`, and records the source of the key. */
export function put(map: MapNode, key: string, value: ConfigNode, keyOrigin: Origin = value.origin): void {
  map.entries.set(key, value);
  map.keyOrigins.set(key, keyOrigin);
}

/** Converts a node to a plain value. */
export function toPlain(node: ConfigNode): JsonValue {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map(toPlain);
  return Object.fromEntries([...node.entries].map(([key, value]) => [key, toPlain(value)]));
}

/** A deep copy, except that sources are shared. */
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

/** The node at a path; list items are addressed by index. */
export function select(node: ConfigNode, path: readonly string[]): ConfigNode | undefined {
  let at: ConfigNode | undefined = node;
  for (const key of path) {
    if (at === undefined || at.kind === 'scalar') return undefined;
    at = at.kind === 'map' ? at.entries.get(key) : /^\d+$/.test(key) ? at.items[Number(key)] : undefined;
  }
  return at;
}

/** Splits `a.b.c` into its parts; the empty path has none. */
export function parsePath(path: string): string[] {
  return path === '' ? [] : path.split('.');
}

/** Merges `from` into `into`, as OmegaConf does: maps are merged key by key, and other values are replaced. */
export function mergeInto(into: MapNode, from: MapNode): void {
  for (const [key, value] of from.entries) {
    const present = into.entries.get(key);
    if (present?.kind === 'map' && value.kind === 'map') mergeInto(present, value);
    else into.entries.set(key, cloneNode(value));
    into.keyOrigins.set(key, from.keyOrigins.get(key) ?? value.origin);
  }
}

/** Yields `node` and every node inside it with its path: parents before children, in the order in which they were written. */
export function* walk(node: ConfigNode, path: string[] = []): Generator<{ path: string[]; node: ConfigNode }> {
  yield { path, node };
  if (node.kind === 'map') for (const [key, value] of node.entries) yield* walk(value, [...path, key]);
  if (node.kind === 'list') for (const [index, item] of node.items.entries()) yield* walk(item, [...path, `${index}`]);
}

/** `conf/sst2.yaml:12`, or `override 2`. */
export function showOrigin(origin: Origin): string {
  return origin.kind === 'file' ? `${origin.file}:${origin.line}` : `override ${origin.number}`;
}

/** True when the value comes from Nautil's own `conf/`, and not from the user. */
export function isShipped(origin: Origin): boolean {
  return origin.kind === 'file' && origin.shipped;
}

/** True when `a` was written after `b`. Overrides come after files, and follow their order; the user's files come after `conf/`. */
export function isLater(a: Origin, b: Origin): boolean {
  if (a.kind !== b.kind) return a.kind === 'override';
  if (a.kind === 'override' && b.kind === 'override') return a.number > b.number;
  return isShipped(b) && !isShipped(a);
}
