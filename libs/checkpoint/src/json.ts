import { pythonFloat } from './python-float.js';

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

export interface JsonObject {
  [key: string]: JsonValue;
}

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

/** A copy of the tree with a value at a dotted path; what is missing on the way is made. */
export function withValueAt(tree: JsonObject, path: string, value: JsonValue): JsonObject {
  const [key = '', ...rest] = path.split('.');
  if (rest.length === 0) return { ...tree, [key]: value };
  const inner = tree[key];
  return { ...tree, [key]: withValueAt(isJsonObject(inner) ? inner : {}, rest.join('.'), value) };
}

/** JSON as Python's `json.dumps(value, indent=2, sort_keys=True)` writes it, with its final newline: ASCII, keys by code point. */
export function pythonJson(value: JsonValue): string {
  // NOTE: JSON.stringify puts integer-like keys first whatever the order; vocabularies are full of them.
  const write = (item: JsonValue, indent: string): string => {
    if (typeof item === 'number' && !Number.isInteger(item)) return pythonFloat(item);
    if (typeof item !== 'object' || item === null) return JSON.stringify(item);
    const inner = `${indent}  `;
    const [open, close, lines] = Array.isArray(item)
      ? ['[', ']', item.map((element) => inner + write(element, inner))]
      : [
          '{',
          '}',
          Object.entries(item)
            .sort(byCodePoint)
            .map(([key, element]) => `${inner}${JSON.stringify(key)}: ${write(element, inner)}`),
        ];
    return lines.length === 0 ? open + close : `${open}\n${lines.join(',\n')}\n${indent}${close}`;
  };
  const text = write(value, '');
  return `${text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

function byCodePoint([a]: [string, unknown], [b]: [string, unknown]): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
