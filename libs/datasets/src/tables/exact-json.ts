import { randomUUID } from 'node:crypto';
import { Tokenizer, TokenParser } from '@streamparser/json';

/** More significant digits than a JavaScript number keeps of every decimal number. */
const keptDigits = 15;

/** A number of a JSON or Parquet file that a JavaScript number would change: 12345678901234567890, 1e400, 1.0. */
export class ExactNumber {
  /** As the file has it. */
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** As a label or a text: the shortest form of the same value, so that 1.50 and 1.5 are one label. */
  toString(): string {
    const digits = this.text
      .replace(/e.*$/i, '')
      .replaceAll(/\D/g, '')
      .replaceAll(/^0+|0+$/g, '').length;
    const value = Number(this.text);
    const isKept = digits <= keptDigits && Number.isFinite(value) && (value !== 0 || digits === 0);
    return isKept ? String(value) : this.text;
  }
}

/** The number that a text is, or the text itself if the number would be written otherwise. */
export function exactNumber(text: string): number | ExactNumber {
  const value = Number(text);
  return String(value) === text ? value : new ExactNumber(text);
}

class ExactTokenizer extends Tokenizer {
  override parseNumber(text: string): number {
    // The library passes the value on as it is.
    return exactNumber(text) as number;
  }
}

/**
 * A `JSONParser` that keeps the digits of numbers: they are `ExactNumber`s where a JavaScript number would change them.
 *
 * @param o.paths - selectors of the values to emit, such as `$.*`
 */
export function exactJsonParser(o: {
  paths: string[];
  onValue: (value: unknown) => void;
  onError: (error: Error) => void;
}): Pick<TokenParser, 'isEnded'> & { write: (json: Uint8Array | string) => void } {
  const tokenizer = new ExactTokenizer();
  const parser = new TokenParser({ paths: o.paths, keepStack: false });
  tokenizer.onToken = (token) => {
    parser.write(token);
  };
  parser.onValue = ({ value }) => {
    o.onValue(value);
  };
  tokenizer.onError = o.onError;
  parser.onError = o.onError;
  return {
    get isEnded() {
      return parser.isEnded;
    },
    write: (json) => {
      tokenizer.write(json);
    },
  };
}

/** What precedes the digits of an exact number, in a string in place of it; no file has it. */
const mark = randomUUID();

/**
 * `JSON.parse` that keeps the digits of numbers: they are `ExactNumber`s where a JavaScript number would change them. Only a text
 * with such numbers takes longer.
 *
 * @throws SyntaxError as `JSON.parse`
 */
export function parseExactJson(json: string): unknown {
  const marked = withMarks(json);
  if (marked === undefined) return JSON.parse(json);
  try {
    return withExactNumbers(JSON.parse(marked));
  } catch {
    return JSON.parse(json); // whose message quotes the text as it is
  }
}

/** Puts exact numbers in place of marked strings. NOTE: the reviver of `JSON.parse` takes three times as long, and a stack as deep as the value. */
function withExactNumbers(value: unknown): unknown {
  const root = { value };
  const pending: Record<string, unknown>[] = [root];
  for (let object = pending.pop(); object !== undefined; object = pending.pop()) {
    for (const key of Object.keys(object)) {
      const item = object[key];
      if (typeof item === 'string' && item.startsWith(mark)) object[key] = new ExactNumber(item.slice(mark.length));
      else if (typeof item === 'object' && item !== null) pending.push(item as Record<string, unknown>);
    }
  }
  return root.value;
}

/** Whether `JSON.parse` would change a number of a text in JSON. */
export const hasExactNumbers = (json: string): boolean => withMarks(json) !== undefined;

/** The text with marked strings in place of the numbers that `JSON.parse` would change; undefined without such numbers. */
function withMarks(json: string): string | undefined {
  let marked = '';
  let copied = 0;
  for (let start = 0; start < json.length;) {
    const quote = json.indexOf('"', start);
    const end = quote === -1 ? json.length : quote;
    // Between two strings there is mostly a colon or a comma alone.
    const between = end - start > 2 ? json.slice(start, end) : '';
    if (mayBeExact.test(between)) {
      for (const { 0: number, index } of between.matchAll(numbers)) {
        if (String(Number(number)) === number || !isNumber.test(number)) continue;
        marked += `${json.slice(copied, start + index)}"${mark}${number}"`;
        copied = start + index + number.length;
      }
    }
    start = quote === -1 ? json.length : afterString(json, quote);
  }
  return copied === 0 ? undefined : marked + json.slice(copied);
}

/** Fractions, exponents, many digits and -0: other whole numbers stay as they are. */
const mayBeExact = /[.eE]|\d{16}|-0/;
const isNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
const numbers = /-?\d[\d.eE+-]*/g;

/** The position after a string; the end of a text that lacks the closing mark. */
function afterString(json: string, start: number): number {
  for (let at = start + 1; ;) {
    const closing = json.indexOf('"', at);
    if (closing === -1) return json.length;
    let escapes = closing;
    while (json[escapes - 1] === '\\') escapes--;
    if ((closing - escapes) % 2 === 0) return closing + 1;
    at = closing + 1;
  }
}
