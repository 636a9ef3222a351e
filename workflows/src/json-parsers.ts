import { UndecodablePayload } from './payload-converter.js';

// Checks of signals and inputs, which everyone who reaches the server can send. NOTE: not ajv, which compiles schemas when it
// runs: it would be loaded and would compile them again in the sandbox of every workflow.

/** Returns the value with its type, or throws InvalidValue. `name` is the path of the value, for the message. */
export type Parser<T> = (value: unknown, name: string) => T;

type Parsers = Record<string, Parser<unknown>>;
type Parsed<P extends Parsers> = { [K in keyof P]: ReturnType<P[K]> };

/** A value from outside has the wrong type. */
export class InvalidValue extends Error {
  override readonly name = 'InvalidValue';
}

export const text: Parser<string> = (value, name) => {
  if (typeof value !== 'string') throw invalid(value, name, 'a text');
  return value;
};

export const flag: Parser<boolean> = (value, name) => {
  if (typeof value !== 'boolean') throw invalid(value, name, 'true or false');
  return value;
};

const numberOrNull: Parser<number | null> = (value, name) => {
  if (value !== null && typeof value !== 'number') throw invalid(value, name, 'a number');
  return value;
};

/** JSON has no NaN and no infinity: both are written as null, which the contract's types leave out. */
export const float = numberOrNull as Parser<number>;

export const wholeNumber: Parser<number> = (value, name) => {
  if (!Number.isSafeInteger(value)) throw invalid(value, name, 'a whole number');
  return value as number;
};

export function wholeNumberFrom(least: number): Parser<number> {
  return (value, name) => {
    const number = wholeNumber(value, name);
    if (number < least) throw new InvalidValue(`${name} is ${number}, not ${least} or more`);
    return number;
  };
}

export function oneOf<const T extends string>(values: readonly T[]): Parser<T> {
  return (value, name) => {
    const found = values.find((known) => known === value);
    if (found === undefined) throw invalid(value, name, `one of ${values.join(', ')}`);
    return found;
  };
}

/** @param kind - describes the items in messages: `texts` */
export function listOf<T>(item: Parser<T>, kind: string): Parser<T[]> {
  return (value, name) => {
    if (!Array.isArray(value)) throw invalid(value, name, `a list of ${kind}`);
    return value.map((element: unknown, index) => item(element, `${name}[${index}]`));
  };
}

export const texts = listOf(text, 'texts');

/** An object. Unknown properties are left out: a newer version may have sent them. An optional property may be null. */
export function object<R extends Parsers, O extends Parsers>(
  required: R,
  optional: O,
): Parser<Parsed<R> & Partial<Parsed<O>>> {
  return (value, name) => {
    const source = plainObject(value, name);
    const own = (key: string): unknown => (Object.hasOwn(source, key) ? source[key] : undefined);
    const entries = Object.entries(required).map(([key, parse]) => [key, parse(own(key), `${name}.${key}`)]);
    for (const [key, parse] of Object.entries(optional)) {
      const found = own(key);
      if (found != null) entries.push([key, parse(found, `${name}.${key}`)]);
    }
    return Object.fromEntries(entries) as Parsed<R> & Partial<Parsed<O>>;
  };
}

export function plainObject(value: unknown, name: string): Record<string, unknown> {
  const isPlain = typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  if (!isPlain || value instanceof UndecodablePayload) throw invalid(value, name, 'an object');
  return value as Record<string, unknown>;
}

const invalid = (value: unknown, name: string, expected: string): InvalidValue =>
  new InvalidValue(`${name} is ${describe(value)}, not ${expected}`);

function describe(value: unknown): string {
  if (value instanceof UndecodablePayload) return `undecodable (${value.problem})`;
  if (value === undefined) return 'missing';
  if (ArrayBuffer.isView(value)) return 'binary';
  try {
    return JSON.stringify(value).slice(0, 80);
  } catch {
    return 'nested too deeply'; // JSON.parse accepts more levels than JSON.stringify
  }
}
