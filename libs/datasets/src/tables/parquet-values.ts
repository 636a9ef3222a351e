import { isUtf8 } from 'node:buffer';
import type { FileMetaData, ParquetParsers, SchemaElement, SchemaTree } from 'hyparquet';
import { exactNumber, hasExactNumbers } from './exact-json.js';

/** What a column contains, as its schema states it: an object that threads can exchange. */
export type ParquetColumn = Pick<SchemaElement, 'name' | 'type' | 'converted_type' | 'logical_type' | 'scale'> & {
  children: ParquetColumn[];
};

/** The columns of a schema. */
export const columnsOf = ({ children }: SchemaTree): ParquetColumn[] =>
  children.map((child) => {
    const { name, type, converted_type, logical_type, scale } = child.element;
    return {
      name,
      children: columnsOf(child),
      ...(type === undefined ? {} : { type }),
      ...(converted_type === undefined ? {} : { converted_type }),
      ...(logical_type === undefined ? {} : { logical_type }),
      ...(scale === undefined ? {} : { scale }),
    };
  });

const isDecimal = ({ converted_type, logical_type }: Kind): boolean =>
  converted_type === 'DECIMAL' || logical_type?.type === 'DECIMAL';

/**
 * The metadata without the types of decimal numbers and times, so that hyparquet leaves these values as they are stored: its own
 * conversion rounds decimals, and cuts times to milliseconds.
 */
export const withStoredValues = (metadata: FileMetaData): FileMetaData => ({
  ...metadata,
  schema: metadata.schema.map((element) => {
    if (element.type === undefined || !(isDecimal(element) || unitOf(element))) return element;
    const { converted_type: _converted, logical_type: _logical, ...stored } = element;
    return stored;
  }),
});

/** Bytes that are not a text stay bytes; so do numbers inside JSON that would change. For reading with `utf8: false`. */
export const exactParsers: Partial<ParquetParsers> = {
  stringFromBytes: (bytes) => textIn(bytes),
  jsonFromBytes: (bytes) => {
    const text = textIn(bytes);
    return typeof text !== 'string' || hasExactNumbers(text) ? text : (JSON.parse(text) as unknown);
  },
  timestampFromNanoseconds: (nanoseconds) => nanoseconds,
};

type Kind = Pick<ParquetColumn, 'type' | 'converted_type' | 'logical_type' | 'scale'>;

/** A function that turns the stored values of a column into exact ones; undefined where they are the same. */
export function exactReader(column: ParquetColumn): ((value: unknown) => unknown) | undefined {
  const { children } = column;
  if (children.length === 0) {
    const read = leafReader(column);
    return read && ((value) => (value === null || value === undefined ? value : read(value)));
  }
  const readers = new Map(children.map((child) => [child.name, exactReader(child)]));
  if (![...readers.values()].some((reader) => reader !== undefined)) return undefined;
  const { converted_type: converted, logical_type: logical } = column;
  if (converted === 'LIST' || logical?.type === 'LIST') return inside(children[0]);
  if (converted === 'MAP' || converted === 'MAP_KEY_VALUE' || logical?.type === 'MAP') {
    const [, values] = children[0]?.children ?? [];
    const read = values && exactReader(values);
    return read && ((value) => withMembers(value, () => read));
  }
  return (value) =>
    Array.isArray(value)
      ? value.map((item) => withMembers(item, (name) => readers.get(name)))
      : withMembers(value, (name) => readers.get(name));
}

/** Reads the items of a list, whose schema has a group with one child around them. */
function inside(group: ParquetColumn | undefined): ((value: unknown) => unknown) | undefined {
  const item = group?.children.length === 1 ? group.children[0] : group;
  const read = item && exactReader(item);
  return read && ((value) => (Array.isArray(value) ? value.map(read) : value));
}

const withMembers = (value: unknown, readerOf: (name: string) => ((value: unknown) => unknown) | undefined): unknown =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, readerOf(name)?.(item) ?? item]))
    : value;

function leafReader(kind: Kind): ((value: unknown) => unknown) | undefined {
  const { type, scale = 0 } = kind;
  if (isDecimal(kind)) return (value) => exactNumber(decimalText(unscaledOf(value), scale));
  const unit = unitOf(kind);
  if (unit) return (value) => timeText(BigInt(value as number | bigint), unit);
  if (type === 'FLOAT') return (value) => shortestFloat(value as number);
  // Programs that do not annotate their texts store them as bytes.
  if (type === 'BYTE_ARRAY') return (value) => (value instanceof Uint8Array ? textIn(value) : value);
  return undefined;
}

const textIn = (bytes: Uint8Array): string | Uint8Array =>
  isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8') : Uint8Array.from(bytes);

/** The integer of a decimal number, which is stored as one, or as its bytes in two's complement, most significant first. */
function unscaledOf(value: unknown): bigint {
  if (!(value instanceof Uint8Array)) return BigInt(value as number | bigint);
  return value.length === 0 ? 0n : BigInt.asIntN(8 * value.length, BigInt(`0x${Buffer.from(value).toString('hex')}`));
}

function decimalText(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale));
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The number whose text is the shortest one of a float32: 0.1, and not 0.10000000149011612. */
function shortestFloat(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : value;
}

/** How a time is stored: so many units a second; `isUtc` is undefined for dates. */
interface TimeUnit {
  perSecond: bigint;
  digits: number;
  isUtc?: boolean;
}

const units = { MILLIS: 3, MICROS: 6, NANOS: 9 } as const;

/** The unit of dates and timestamps; undefined for other columns. */
function unitOf({ type, converted_type: converted, logical_type: logical }: Kind): TimeUnit | undefined {
  const unitWith = (name: keyof typeof units, isUtc: boolean): TimeUnit => ({
    perSecond: 10n ** BigInt(units[name]),
    digits: units[name],
    isUtc,
  });
  if (converted === 'DATE' || logical?.type === 'DATE') return { perSecond: 0n, digits: 0 };
  if (logical?.type === 'TIMESTAMP') return unitWith(logical.unit, logical.isAdjustedToUTC);
  if (converted === 'TIMESTAMP_MILLIS') return unitWith('MILLIS', true);
  if (converted === 'TIMESTAMP_MICROS') return unitWith('MICROS', true);
  return type === 'INT96' ? unitWith('NANOS', false) : undefined;
}

/** ISO 8601: 2025-01-31, or 2025-01-31T12:00:00.000001Z with the digits of its unit, if it has a fraction of a second. */
function timeText(value: bigint, { perSecond, digits, isUtc }: TimeUnit): string {
  const fraction = perSecond === 0n ? 0n : ((value % perSecond) + perSecond) % perSecond;
  const seconds = perSecond === 0n ? value * 86_400n : (value - fraction) / perSecond;
  const date = new Date(Number(seconds) * 1000);
  // Beyond the year 275760.
  if (Number.isNaN(date.getTime())) return String(value);
  const text = date.toISOString().slice(0, -'.000Z'.length);
  if (isUtc === undefined) return text.slice(0, text.indexOf('T'));
  return `${text}${fraction === 0n ? '' : `.${String(fraction).padStart(digits, '0')}`}${isUtc ? 'Z' : ''}`;
}
