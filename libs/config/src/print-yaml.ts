import { pythonFloat } from '@nautil/python-format';
import type { ConfigNode, ScalarNode } from './config-node.js';
import { resolvePlainScalar } from './plain-scalar.js';

const bestWidth = 80;
const breaks = /[\n\u0085\u2028\u2029]/u;
const blanks = /[\0 \t\r\n\u0085\u2028\u2029]/u;

/**
 * Prints a node exactly as OmegaConf.to_yaml does: block style, sequences at the indentation of their key, long text folded
 * after column 80, and quotes around text that would be read as another type.
 */
export function printYaml(node: ConfigNode): string {
  const printer = new YamlPrinter();
  printer.block(node, 0);
  return printer.text;
}

class YamlPrinter {
  text = '';
  private column = 0;

  /** Prints a node from the current column on; its other lines are indented by `indent`. Ends with a newline. */
  block(node: ConfigNode, indent: number): void {
    if (node.kind === 'scalar') {
      this.scalar(node, indent, false);
      this.newline(0);
    } else if (node.kind === 'map') {
      if (node.entries.size === 0) return this.line('{}');
      [...node.entries].forEach(([key, value], index) => {
        if (index > 0) this.write(' '.repeat(indent));
        this.scalar(keyNode(key), indent, true);
        this.write(':');
        const isOpen =
          (value.kind === 'map' && value.entries.size > 0) || (value.kind === 'list' && value.items.length > 0);
        if (isOpen) {
          const inner = value.kind === 'list' ? indent : indent + 2;
          this.newline(inner);
          this.block(value, inner);
        } else {
          this.write(' ');
          this.block(value, indent + 2);
        }
      });
    } else {
      if (node.items.length === 0) return this.line('[]');
      node.items.forEach((item, index) => {
        if (index > 0) this.write(' '.repeat(indent));
        this.write('- ');
        this.block(item, indent + 2);
      });
    }
  }

  private scalar(node: ScalarNode, indent: number, isKey: boolean): void {
    const text = plainText(node);
    const mustQuote = typeof node.value === 'string' && looksLikeAnotherType(node.value);
    const style = styleOf(text, mustQuote, isKey);
    if (style === 'plain') this.folded(text, indent, isKey, false);
    else if (style === 'single') {
      this.write("'");
      this.folded(text, indent, isKey, true);
      this.write("'");
    } else this.doubleQuoted(text, indent, isKey);
  }

  // PyYAML folds late: a single space becomes a line break once the column is past the width.
  private folded(text: string, indent: number, isKey: boolean, quoted: boolean): void {
    const runs = text.match(/ +|[\n\u0085\u2028\u2029]+|[^ \n\u0085\u2028\u2029]+/gu) ?? [];
    runs.forEach((run, index) => {
      const inside = !quoted || (index > 0 && index < runs.length - 1);
      if (run === ' ' && this.column > bestWidth && !isKey && inside) this.newline(indent);
      else if (breaks.test(run)) {
        if (run.startsWith('\n')) this.newline(0);
        for (const mark of run) this.lineBreak(mark);
        this.write(' '.repeat(indent));
      } else this.write(quoted ? run.replaceAll("'", "''") : run);
    });
  }

  private doubleQuoted(text: string, indent: number, isKey: boolean): void {
    const letters = [...text];
    this.write('"');
    let start = 0;
    for (let end = 0; end <= letters.length; end++) {
      const letter = letters[end];
      if (letter === undefined || needsEscape(letter)) {
        if (start < end) this.write(letters.slice(start, end).join(''));
        start = end;
        if (letter !== undefined) {
          this.write(escapeLetter(letter));
          start = end + 1;
        }
      }
      const wide = this.column + (end - start) > bestWidth;
      if (end > 0 && end < letters.length - 1 && (letter === ' ' || start >= end) && wide && !isKey) {
        this.write(`${letters.slice(start, end).join('')}\\`);
        if (start < end) start = end;
        this.newline(indent);
        if (letters[start] === ' ') this.write('\\');
      }
    }
    this.write('"');
  }

  private line(text: string): void {
    this.write(text);
    this.newline(0);
  }

  private write(text: string): void {
    this.text += text;
    this.column += [...text].length;
  }

  private newline(indent: number): void {
    this.lineBreak('\n');
    this.write(' '.repeat(indent));
  }

  private lineBreak(mark: string): void {
    this.text += mark;
    this.column = 0;
  }
}

function plainText(node: ScalarNode): string {
  const { value } = node;
  if (value === null) return 'null';
  if (typeof value !== 'number') return String(value);
  if (!node.isFloat) return String(value);
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(value)) return value > 0 ? '.inf' : '-.inf';
  // YAML 1.1 reads 1e-05 as text, so PyYAML adds a decimal point.
  const text = pythonFloat(value);
  return text.includes('.') ? text : text.replace('e', '.0e');
}

function keyNode(key: string): ScalarNode {
  return { kind: 'scalar', value: key, isFloat: false, origin: { kind: 'override', number: 0, text: '' } };
}

const timestamp =
  /^\d{4}-\d\d-\d\d$|^\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?$/;
const pythonNumber =
  /^\s*[-+]?(?:(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+(?:_\d+)*)(?:e[-+]?\d+(?:_\d+)*)?|inf(?:inity)?|nan)\s*$/i;

// True when a YAML reader, or Python's int() or float(), would not read the text as a string.
function looksLikeAnotherType(text: string): boolean {
  return (
    typeof resolvePlainScalar(text).value !== 'string' ||
    /^(?:[yYnN=]|<<)$/.test(text) ||
    timestamp.test(text) ||
    pythonNumber.test(text)
  );
}

function styleOf(text: string, mustQuote: boolean, isKey: boolean): 'plain' | 'single' | 'double' {
  const shape = analyze(text);
  if (!mustQuote && shape.plain && !(isKey && (text === '' || shape.multiline))) return 'plain';
  return shape.single && !(isKey && shape.multiline) ? 'single' : 'double';
}

function analyze(text: string): { plain: boolean; single: boolean; multiline: boolean } {
  if (text === '') return { plain: true, single: true, multiline: false };
  const letters = [...text];
  const blankAt = (index: number): boolean => index >= letters.length || blanks.test(letters[index] ?? '');
  const indicator =
    /^(?:---|\.\.\.)/.test(text) ||
    letters.some((letter, index) => {
      if (index === 0) return /[#,[\]{}&*!|>'"%@`]/.test(letter) || (/[?:-]/.test(letter) && blankAt(1));
      return (letter === ':' && blankAt(index + 1)) || (letter === '#' && blankAt(index - 1));
    });
  const special = letters.some((letter) => letter !== '\n' && !isPrintable(letter));
  const multiline = breaks.test(text);
  const edge = /^[ \n\u0085\u2028\u2029]|[ \n\u0085\u2028\u2029]$/u.test(text);
  const breakSpace = /[\n\u0085\u2028\u2029] /u.test(text);
  const spaceBreak = / [\n\u0085\u2028\u2029]/u.test(text);
  const single = !breakSpace && !spaceBreak && !special;
  return { plain: single && !multiline && !edge && !indicator, single, multiline };
}

function isPrintable(letter: string): boolean {
  const code = letter.codePointAt(0) ?? 0;
  if (code >= 0x20 && code <= 0x7e) return true;
  if (code === 0xfeff) return false;
  return (
    code === 0x85 ||
    (code >= 0xa0 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code < 0x10ffff)
  );
}

const escapes: Readonly<Record<string, string>> = {
  '\0': '0', '\x07': 'a', '\b': 'b', '\t': 't', '\n': 'n', '\v': 'v', '\f': 'f', '\r': 'r', '\x1b': 'e',
  '"': '"', '\\': '\\', '\u0085': 'N', '\u00a0': '_', '\u2028': 'L', '\u2029': 'P',
}; // prettier-ignore

function needsEscape(letter: string): boolean {
  const code = letter.codePointAt(0) ?? 0;
  if (/["\\\u0085\u2028\u2029\ufeff]/u.test(letter)) return true;
  return !((code >= 0x20 && code <= 0x7e) || (code >= 0xa0 && code <= 0xd7ff) || (code >= 0xe000 && code <= 0xfffd));
}

function escapeLetter(letter: string): string {
  const short = escapes[letter];
  if (short !== undefined) return `\\${short}`;
  const hex = (letter.codePointAt(0) ?? 0).toString(16).toUpperCase();
  return hex.length <= 2
    ? `\\x${hex.padStart(2, '0')}`
    : hex.length <= 4
      ? `\\u${hex.padStart(4, '0')}`
      : `\\U${hex.padStart(8, '0')}`;
}
