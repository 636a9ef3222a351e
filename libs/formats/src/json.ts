import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { InvalidJson, type JsonValidator, parseJson } from '@nautil/contracts/schemas';
import { pythonNumber } from '@nautil/python-format';
import { readWholeFile } from '@nautil/store/streams';
import { CorruptFile, FileUnavailable } from './errors.js';

/** Reads a small file that is a JSON object, such as config.json. */
export async function readJsonFile(path: string): Promise<JsonObject> {
  const bytes = await readWholeFile(path).catch((cause: unknown) => {
    const error = cause as NodeJS.ErrnoException;
    throw new FileUnavailable(path, `can't be read (${error.code ?? error.message})`, { cause: error });
  });
  return parseJsonObject(bytes, path);
}

export function parseJsonObject(bytes: Uint8Array, path: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new CorruptFile(path, `is not JSON (${error instanceof Error ? error.message : String(error)})`, {
      cause: error,
    });
  }
  if (!isJsonObject(value)) throw new CorruptFile(path, 'is not a JSON object');
  return value;
}

/** Checks a parsed part of a file against a schema. @throws CorruptFile that names the file, the part and the field */
export function validateJson<T>(validate: JsonValidator<T>, value: unknown, path: string, part: string): T {
  try {
    return validate(value, part);
  } catch (error) {
    if (!(error instanceof InvalidJson)) throw error;
    throw new CorruptFile(path, error.message, { cause: error });
  }
}

/** Formats JSON as Python's `json.dumps(value, indent=2, sort_keys=True)` does, plus a newline: ASCII, keys by code point. */
export function pythonJson(value: JsonValue): string {
  // JSON.stringify would put integer-like keys first, and vocabularies contain many of them.
  const write = (item: JsonValue, indent: string): string => {
    if (typeof item === 'number' && !Number.isInteger(item)) return pythonNumber(item);
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
