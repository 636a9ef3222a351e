/** A value that JSON can hold. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

export interface JsonObject {
  [key: string]: JsonValue;
}

/** True for a JSON object: neither null nor an array. The values inside are not checked. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a dotted path; undefined where the path ends early. */
export function valueAt(tree: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = tree;
  for (const key of path.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A copy of the tree with a value at a dotted path; missing objects on the way are created. */
export function withValueAt(tree: JsonObject, path: string, value: JsonValue): JsonObject {
  const [key = '', ...rest] = path.split('.');
  if (rest.length === 0) return { ...tree, [key]: value };
  const inner = tree[key];
  return { ...tree, [key]: withValueAt(isJsonObject(inner) ? inner : {}, rest.join('.'), value) };
}

/** Replaces the value at a dotted path in place; does nothing when the tree has no such key. */
export function replaceAt(tree: JsonObject, path: string, value: JsonValue): void {
  const [key = '', ...rest] = path.split('.');
  if (!Object.hasOwn(tree, key)) return;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const inner = tree[key];
  if (isJsonObject(inner)) replaceAt(inner, rest.join('.'), value);
}
