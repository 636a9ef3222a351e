import { shellWord } from '@nautil/contracts';
import { ConfigError } from './config-error.js';
import { type Token, tokenize, tokenizeValue, type TokenType } from './override-lexer.js';
import { numberScalar } from './plain-scalar.js';

/** A value of an override. `quoted` and `isFloat` record how it was written: '10' is text, and 1.0 is a float. */
export type OverrideValue =
  | { kind: 'scalar'; value: string | number | boolean | null; isFloat: boolean; quoted: boolean; written?: string }
  | { kind: 'list'; items: OverrideValue[] }
  | { kind: 'map'; entries: [key: string, value: OverrideValue][] };

/** The values of one key that a sweep (`-m`) runs through. */
export type SweepSpec =
  | { kind: 'choice'; options: OverrideValue[]; short: boolean }
  | { kind: 'range'; start: number; stop: number; step: number; isFloat: boolean }
  | { kind: 'interval'; start: number; end: number; log: boolean };

/** Linux passes at most 128 KiB as one argument. The lexer's time is quadratic in the length for unclosed quotes. */
const longestOverride = 1 << 16;

const deepest = 100;

/** One parsed override. */
export interface Override {
  type: 'change' | 'add' | 'force-add' | 'delete';

  /** A dotted key, or a group (`data`, `hydra/launcher`). */
  key: string;

  /** The part after `@`. */
  package: string | undefined;

  /** Undefined for `~key`. */
  value: OverrideValue | SweepSpec | undefined;
  text: string;

  /** One-based position among the overrides. */
  number: number;
}

export function isSweep(value: OverrideValue | SweepSpec | undefined): value is SweepSpec {
  return value?.kind === 'choice' || value?.kind === 'range' || value?.kind === 'interval';
}

/**
 * Parses one override by the grammar of Hydra 1.3, which GRAMMAR.md describes. Each method of the parser carries its production.
 *
 * @param number - the one-based position among the overrides, for messages
 * @throws ConfigError that states the mistake, and its column where known
 *
 * @example
 * parseOverride('+model.optim.betas=[0.9,0.98]', 1)
 */
export function parseOverride(text: string, number = 1): Override {
  if (text.length > longestOverride) {
    throw new ConfigError([
      {
        origin: { kind: 'override', number, text: `${text.slice(0, 80)}…` },
        message: `an override has at most ${longestOverride} characters, and this one has ${text.length}: ${text.slice(0, 80)}…`,
        hint: ['write long values into a configuration file (--config-name)'],
      },
    ]);
  }
  return new OverrideParser(text, tokenize(text), number).override();
}

/** Parses a value without a key: the part of an override after `key=`. */
export function parseOverrideValue(text: string): OverrideValue {
  return new OverrideParser(text, tokenizeValue(text), 1).bareValue();
}

const primitiveTypes: ReadonlySet<TokenType> = new Set<TokenType>([
  'word', 'null', 'int', 'float', 'bool', 'interpolation', 'symbol', ':', 'escape', 'space',
]); // prettier-ignore
const dictKeyTypes: ReadonlySet<TokenType> = new Set(
  [...primitiveTypes].filter((type) => type !== ':' && type !== 'interpolation'),
);

/** Hydra's functions that this grammar does not have, each with an alternative. */
const unsupportedFunctions: Readonly<Record<string, string>> = {
  glob: 'list the options: data=sst-2,imdb',
  shuffle: 'write the values in the order in which they should run',
  sort: 'write the values in the order in which they should run',
  int: 'write the number itself',
  float: 'write the number with a dot: 1.0',
  str: "quote the text: '10'",
  bool: 'write true or false',
  json_str: 'quote the text',
  extend_list: 'write the whole list',
};

interface Argument {
  name: string | undefined;
  value: OverrideValue | SweepSpec;
}

class OverrideParser {
  private at = 0;
  private depth = 0;
  private readonly text: string;
  private readonly tokens: Token[];
  private readonly number: number;

  constructor(text: string, tokens: Token[], number: number) {
    this.text = text;
    this.tokens = tokens;
    this.number = number;
  }

  // override = key "=" [value] | "+" key "=" [value] | "++" key "=" [value] | "~" key ["=" [value]]
  override(): Override {
    const type = this.take('tilde')
      ? 'delete'
      : this.take('plus')
        ? this.take('plus')
          ? 'force-add'
          : 'add'
        : 'change';
    const { key, package: target } = this.key();
    const base = { type, key, package: target, text: this.text, number: this.number } as const;
    if (type === 'delete' && this.peek().type === 'end') return { ...base, value: undefined };
    if (!this.take('equal')) {
      if (this.peek().type !== 'end')
        throw this.unexpected('a key consists of letters, digits, _ and -, separated by dots');
      throw this.error('there is no =', [`write key=value, or ~${key || 'key'} to remove a key`]);
    }
    const value = this.peek().type === 'end' ? textValue('', false) : this.value();
    if (this.peek().type !== 'end') throw this.unexpected(quotingHint(this.text));
    return { ...base, value };
  }

  // bareValue = [value], without a sweep
  bareValue(): OverrideValue {
    const value = this.peek().type === 'end' ? textValue('', false) : this.value();
    if (this.peek().type !== 'end') throw this.unexpected(quotingHint(this.text));
    if (isSweep(value))
      throw this.error('several values where one is expected', ['quote the text if the comma is part of it']);
    return value;
  }

  // key = keyPart {"/" keyPart} ["@" keyPart]
  private key(): { key: string; package: string | undefined } {
    const parts = [this.keyPart()];
    while (this.take('slash')) parts.push(this.keyPart());
    if (parts.length > 1 && !parts.every((part) => /^[a-zA-Z_][\w-]*$/.test(part))) {
      throw this.error(`${parts.join('/')} is neither a group nor a key`, [
        'separate groups by slashes and keys by dots',
      ]);
    }
    const target = this.take('at') ? this.keyPart() : undefined;
    return { key: parts.join('/'), package: target };
  }

  // keyPart = [name {"." name}], which the lexer returns as one token
  private keyPart(): string {
    const token = this.peek();
    if (token.type !== 'word' && token.type !== 'path') return '';
    if (token.text.split('.').length > deepest) throw this.error(`the key is more than ${deepest} levels deep`);
    this.at++;
    return token.text;
  }

  // value = element {"," element}
  private value(): OverrideValue | SweepSpec {
    const first = this.element();
    if (this.peek().type !== ',') return first;
    const options = [this.plain(first)];
    while (this.take(',')) options.push(this.plain(this.element()));
    return { kind: 'choice', options, short: true };
  }

  // element = quoted | list | map | call | primitive
  private element(): OverrideValue | SweepSpec {
    const token = this.peek();
    if (token.type === 'quoted') {
      this.at++;
      return textValue(unquote(token.text), true);
    }
    const isCall = token.type === 'word' && this.tokens[this.at + 1]?.type === '(';
    if (token.type === '[' || token.type === '{' || isCall) {
      if (++this.depth > deepest) throw this.error(`the value is nested more than ${deepest} levels deep`);
      const value = isCall ? this.call() : token.type === '[' ? this.list() : this.map();
      this.depth--;
      return value;
    }
    if (!primitiveTypes.has(token.type)) throw this.unexpected(quotingHint(this.text));
    return this.primitive(primitiveTypes);
  }

  // list = "[" [element {"," element}] "]"
  private list(): OverrideValue {
    const items: OverrideValue[] = [];
    this.expect('[');
    while (!this.take(']')) {
      if (items.length > 0) this.expect(',', ']');
      items.push(this.plain(this.element()));
    }
    return { kind: 'list', items };
  }

  // map = "{" [mapKey ":" element {"," mapKey ":" element}] "}"
  private map(): OverrideValue {
    const entries = new Map<string, OverrideValue>();
    this.expect('{');
    for (let first = true; !this.take('}'); first = false) {
      if (!first) this.expect(',', '}');
      if (!dictKeyTypes.has(this.peek().type)) throw this.unexpected('a key of a map is written without quotes');
      const key = this.primitive(dictKeyTypes);
      this.expect(':');
      entries.set(keyText(key), this.plain(this.element()));
    }
    return { kind: 'map', entries: [...entries] };
  }

  // primitive = null | bool | int | float | text, where text is a sequence of tokens that may include ${…}, spaces and symbols.
  // mapKey is the same without ":" and ${…}. A single token keeps its type, several form a text, and outer spaces are dropped.
  private primitive(types: ReadonlySet<TokenType>): OverrideValue {
    const start = this.at;
    while (types.has(this.peek().type)) this.at++;
    let tokens = this.tokens.slice(start, this.at);
    if (tokens.every((token) => token.type === 'space')) {
      throw this.error('the value contains only spaces', ["quote them: key='  '"]);
    }
    if (tokens[0]?.type === 'space') tokens = tokens.slice(1);
    if (tokens.at(-1)?.type === 'space') tokens = tokens.slice(0, -1);
    const [only] = tokens;
    if (tokens.length > 1 || !only) return textValue(tokens.map(unescapeToken).join(''), false);
    const lower = only.text.toLowerCase();
    if (only.type === 'null') return { kind: 'scalar', value: null, isFloat: false, quoted: false };
    if (only.type === 'bool') return { kind: 'scalar', value: lower === 'true', isFloat: false, quoted: false };
    if (only.type === 'int' || only.type === 'float') {
      const isFloat = only.type === 'float';
      return { kind: 'scalar', ...numberScalar(only.text, numberOf(lower, isFloat), isFloat), quoted: false };
    }
    return textValue(unescapeToken(only), false);
  }

  // call = function "(" [argument {"," argument}] ")", argument = [name "="] element
  private call(): OverrideValue | SweepSpec {
    const name = this.peek().text;
    const start = this.peek().at;
    this.at += 2;
    const callArguments: Argument[] = [];
    while (!this.take(')')) {
      if (callArguments.length > 0) this.expect(',', ')');
      const named =
        this.peek().type === 'word' && this.tokens[this.at + 1]?.type === 'equal' ? this.peek().text : undefined;
      if (named !== undefined) this.at += 2;
      callArguments.push({ name: named, value: this.element() });
    }
    return this.evaluate(name, callArguments, start);
  }

  // choice(element {, element}) | range(…) | interval(start, end) | tag(log, interval(…))
  private evaluate(name: string, callArguments: Argument[], start: number): SweepSpec {
    switch (name) {
      case 'choice': {
        if (callArguments.length === 0) throw this.error('choice() has no options', ['write choice(a, b)'], start);
        const options = callArguments.map((argument) => this.plain(argument.value));
        return { kind: 'choice', options, short: false };
      }
      case 'range':
        return this.range(callArguments, start);
      case 'interval': {
        const { start: from, end } = this.numbers(name, callArguments, ['start', 'end'], start);
        if (from === undefined || end === undefined) {
          throw this.error('interval() takes two numbers', ['write interval(start, end)'], start);
        }
        return { kind: 'interval', start: from, end, log: false };
      }
      case 'tag': {
        const [tag, inner] = callArguments.map((argument) => argument.value);
        const word = tag?.kind === 'scalar' ? tag.value : undefined;
        if (callArguments.length === 2 && word === 'log' && inner?.kind === 'interval') return { ...inner, log: true };
        throw this.error(
          'tag() is supported only as tag(log, interval(a, b))',
          ['that draws uniformly on a logarithmic scale'],
          start,
        );
      }
      default: {
        const instead = unsupportedFunctions[name];
        throw this.error(
          instead === undefined ? `${name}() is not a function` : `Hydra's ${name}() is not supported`,
          [instead ?? `choice, range, interval and tag(log, …) are supported; quote it if it is text: '${name}(…)'`],
          start,
        );
      }
    }
  }

  // range(stop) | range(start, stop [, step])
  private range(callArguments: Argument[], start: number): SweepSpec {
    const given = this.numbers('range', callArguments, ['start', 'stop', 'step'], start);
    const from = given.stop === undefined ? 0 : given.start;
    const stop = given.stop ?? given.start;
    const step = given.step ?? 1;
    if (from === undefined || stop === undefined) {
      throw this.error('range() takes a stop, or a start and a stop', ['write range(start, stop, step)'], start);
    }
    if (step === 0 || !Number.isFinite(step))
      throw this.error(`the step of range() can't be ${step}`, undefined, start);
    const isFloat = callArguments.some(({ value }) => value.kind === 'scalar' && value.isFloat);
    return { kind: 'range', start: from, stop, step, isFloat };
  }

  /** Matches positional and named arguments with the parameters `names`, all of which take numbers. */
  private numbers<K extends string>(
    name: string,
    callArguments: Argument[],
    names: readonly K[],
    start: number,
  ): Partial<Record<K, number>> {
    const result: Partial<Record<K, number>> = {};
    let named = false;
    for (const [index, argument] of callArguments.entries()) {
      if (argument.name === undefined && named)
        throw this.error('a positional argument follows a named one', undefined, start);
      named ||= argument.name !== undefined;
      const key = argument.name === undefined ? names[index] : names.find((known) => known === argument.name);
      if (key === undefined || result[key] !== undefined) {
        throw this.error(`${name}() takes ${names.join(', ')}`, undefined, start);
      }
      const { value } = argument;
      if (value.kind !== 'scalar' || typeof value.value !== 'number') {
        throw this.error(`${name}() takes numbers`, undefined, start);
      }
      result[key] = value.value;
    }
    return result;
  }

  /** The value, unless it is a sweep. */
  private plain(value: OverrideValue | SweepSpec): OverrideValue {
    if (!isSweep(value)) return value;
    throw this.error(`a ${value.kind} can't be part of another value`, ['sweep over the whole value']);
  }

  private peek(): Token {
    return this.tokens[this.at] ?? { type: 'end', text: '', at: this.text.length };
  }

  private take(type: TokenType): boolean {
    if (this.peek().type !== type) return false;
    this.at++;
    return true;
  }

  private expect(type: TokenType, or?: TokenType): void {
    if (!this.take(type)) throw this.unexpected(`expected ${type}${or ? ` or ${or}` : ''}`);
  }

  private unexpected(hint: string): ConfigError {
    const token = this.peek();
    if (token.type === 'end') return this.error('unexpected end', [hint]);
    const quote = token.text.startsWith('"') || token.text.startsWith("'");
    if (token.type === 'unknown' && quote)
      return this.error(`the quote ${token.text} is not closed`, [quotingHint(this.text)], token.at);
    return this.error(`unexpected ${token.text.trim() || 'space'}`, [hint], token.at);
  }

  private error(message: string, hint?: string[], at?: number): ConfigError {
    const place = at === undefined ? 'in' : `at column ${at + 1} of`;
    return new ConfigError([
      {
        origin: { kind: 'override', number: this.number, text: this.text },
        message: `${message} ${place} ${this.text.length > 200 ? `${this.text.slice(0, 200)}…` : this.text}`,
        hint,
      },
    ]);
  }
}

/** How an override is typed in a shell whose value is all of the text after `=`. */
export function quotingHint(text: string): string {
  const [, key = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  if (key === '' || /["\\]|^[[{]/.test(value))
    return `quote a text that is more than words of ASCII letters, twice in a shell: 'key="a, b"'`;
  return `quote a text that is more than words of ASCII letters, twice in a shell: ${shellWord(`${key}="${value}"`)}`;
}

function textValue(value: string, quoted: boolean): OverrideValue {
  return { kind: 'scalar', value, isFloat: false, quoted };
}

// Hydra keeps the type of a map's key. Here keys are text, in OmegaConf's spelling.
function keyText(key: OverrideValue): string {
  if (key.kind !== 'scalar') return '';
  return key.value === null ? 'null' : String(key.value);
}

function numberOf(lower: string, isFloat: boolean): number {
  const unsigned = lower.replaceAll('_', '').replace(/^[+-]/, '');
  const sign = lower.startsWith('-') ? -1 : 1;
  const value = sign * (unsigned === 'inf' ? Infinity : unsigned === 'nan' ? NaN : Number(unsigned));
  return isFloat ? value : value + 0; // an integer has no negative zero
}

function unescapeToken(token: Token): string {
  return token.type === 'escape' ? token.text.replace(/\\([^])/g, '$1') : token.text;
}

// Backslashes are special only before a quote: "a\"b" is a"b, "a\\" is a\, and "a\b" is a\b.
function unquote(quoted: string): string {
  const mark = quoted.charAt(0);
  const body = quoted.slice(1);
  const unescaped = body.replace(new RegExp(`(\\\\+)${mark}`, 'g'), (_, slashes: string) => {
    return slashes.length % 2 === 0
      ? `${'\\'.repeat(slashes.length / 2)}${mark}`
      : `${'\\'.repeat((slashes.length - 1) / 2)}${mark}`;
  });
  return unescaped.slice(0, -1);
}
