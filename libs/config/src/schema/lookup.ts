import { type TSchema, TypeGuard } from '@sinclair/typebox';
import { isJsonObject, type JsonValue } from '@nautil/contracts';
import type { KeyNotes } from './key.js';

/** A node of the schema: JSON Schema with Nautil's own keywords. */
export interface SchemaNode extends Partial<KeyNotes> {
  type?: string | string[];
  properties?: Record<string, SchemaNode>;
  anyOf?: SchemaNode[];
  enum?: (string | number)[];
  items?: SchemaNode | SchemaNode[];
  pattern?: string;
  title?: string;
  uniqueItems?: boolean;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
}

/** The schema node at a path, or undefined for an unknown key. Keys inside a free-form map are unknown. */
export function schemaAt(root: TSchema | SchemaNode, path: readonly string[]): SchemaNode | undefined {
  let at: SchemaNode | undefined = root;
  for (const part of path) at = at?.properties && Object.hasOwn(at.properties, part) ? at.properties[part] : undefined;
  return at;
}

/** Yields every leaf in `node` with its path, in the order of the schema. */
export function* leaves(
  node: TSchema | SchemaNode,
  path: string[] = [],
): Generator<{ path: string[]; node: SchemaNode }> {
  const { properties } = node as SchemaNode;
  if (!properties) yield { path, node: node };
  else for (const [name, child] of Object.entries(properties)) yield* leaves(child, [...path, name]);
}

/** Yields `node` and every section inside it with its path, in the order of the schema. */
export function* sections(
  node: TSchema | SchemaNode,
  path: string[] = [],
): Generator<{ path: string[]; node: SchemaNode }> {
  const { properties } = node as SchemaNode;
  if (!properties) return;
  yield { path, node: node };
  for (const [name, child] of Object.entries(properties)) yield* sections(child, [...path, name]);
}

/** Describes the accepted values in words: `a whole number, 1 or more`. */
export function describeType(node: SchemaNode): string {
  if (node.unsupported) return alternatives(node.unsupported.accepted.map(shownWord));
  if (node.anyOf) return alternatives(node.anyOf.map(describeType));
  if (node.enum) return alternatives(node.enum.map(shownWord));
  const types = Array.isArray(node.type) ? node.type : [node.type];
  return alternatives(types.map((type) => describeOne(type, node)));
}

function describeOne(type: string | undefined, node: SchemaNode): string {
  switch (type) {
    case 'integer':
      return `a whole number${limits(node)}`;
    case 'number':
      return `a number${limits(node)}`;
    case 'boolean':
      return 'true or false';
    case 'string':
      return node.title ?? (node.pattern === undefined ? 'text' : `text like ${node.pattern}`);
    case 'null':
      return 'null';
    case 'array': {
      const items = Array.isArray(node.items) ? node.items : undefined;
      if (items?.[0]) return `a list of ${items.length}: ${describeType(items[0])}`;
      if (node.uniqueItems && node.items)
        return `a list of different ${plural(describeType(node.items as SchemaNode))}`;
      return `a list${node.items && !Array.isArray(node.items) ? ` of ${plural(describeType(node.items))}` : ''}`;
    }
    case 'object':
      return node.properties ? 'a section' : 'a map';
    default:
      return 'anything';
  }
}

function limits(node: SchemaNode): string {
  const parts: string[] = [];
  if (node.exclusiveMinimum !== undefined) parts.push(`more than ${node.exclusiveMinimum}`);
  if (node.minimum !== undefined && node.maximum !== undefined) return `, ${node.minimum} to ${node.maximum}`;
  if (node.minimum !== undefined) parts.push(`${node.minimum} or more`);
  if (node.maximum !== undefined) parts.push(`${node.maximum} or less`);
  if (node.exclusiveMaximum !== undefined) parts.push(`less than ${node.exclusiveMaximum}`);
  return parts.length > 0 ? `, ${parts.join(' and ')}` : '';
}

function plural(type: string): string {
  return type
    .replace(/^a whole number/, 'whole numbers')
    .replace(/^a number/, 'numbers')
    .replace(/^text/, 'texts');
}

/** A value as a word in a sentence. */
export function shownWord(value: JsonValue): string {
  return typeof value === 'string' && /^-?\d|^(null|true|false)$/.test(value)
    ? `'${value}'`
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
}

/** Words as alternatives: "a, b or c", with semicolons where a word contains a comma. */
export function alternatives(words: readonly string[]): string {
  const between = words.some((word) => word.includes(',')) ? '; ' : ', ';
  const [last, ...rest] = [...words].reverse();
  if (rest.length === 0) return last ?? '';
  return `${rest.reverse().join(between)}${between === '; ' ? ';' : ''} or ${last}`;
}

/**
 * Returns the tree with every key of the schema. Missing keys get the value that NeMo's code uses for them, except for optional
 * keys, which stay absent. Unknown keys are dropped.
 */
export function fillDefaults(node: TSchema | SchemaNode, tree: JsonValue | undefined): JsonValue {
  const { properties, whenAbsent, default: usual, type } = node as SchemaNode;
  if (!properties) return tree !== undefined ? tree : whenAbsent !== undefined ? whenAbsent : (usual ?? null);
  if (Array.isArray(type) && (tree === undefined || tree === null)) return null;
  const given = isJsonObject(tree) ? tree : {};
  const isPresent = ([name, child]: [string, SchemaNode]): boolean =>
    given[name] !== undefined || !TypeGuard.IsOptional(child as TSchema);
  const kept = Object.entries(properties).filter(isPresent);
  return Object.fromEntries(kept.map(([name, child]) => [name, fillDefaults(child, given[name])]));
}
