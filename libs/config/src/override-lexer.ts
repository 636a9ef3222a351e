/** A token of an override, named as in Hydra's lexer. */
export interface Token {
  type: TokenType;
  text: string;

  /** Zero-based position in the override. */
  at: number;
}

export type TokenType =
  | 'equal' | 'tilde' | 'plus' | 'at' | 'slash' | 'word' | 'path'
  | '(' | ')' | '[' | ']' | '{' | '}' | ',' | ':'
  | 'float' | 'int' | 'bool' | 'null' | 'symbol' | 'escape' | 'space' | 'quoted' | 'interpolation'
  | 'unknown' | 'end'; // prettier-ignore

type Rule = readonly [TokenType, RegExp];

const digits = '[0-9](?:_?[0-9])*';
const unsignedInt = '(?:[1-9](?:_?[0-9])*|0)';
const pointFloat = `(?:${unsignedInt}?\\.${digits}|${unsignedInt}\\.)`;
const special = '[a-zA-Z_$][a-zA-Z0-9_$-]*';

// NOTE: as in ANTLR, the longest match wins, and the first rule wins among equal lengths: `inf` is a float, `info` a word.
const keyRules: readonly Rule[] = [
  ['tilde', /~/y],
  ['plus', /\+/y],
  ['at', /@/y],
  ['slash', /\//y],
  ['word', new RegExp(special, 'y')],
  ['path', new RegExp(`(?:${special}|${unsignedInt})(?:\\.(?:${special}|${unsignedInt}))+`, 'y')],
];

const valueRules: readonly Rule[] = [
  ['(', /[ \t]*\([ \t]*/y],
  [',', /[ \t]*,[ \t]*/y],
  [')', /[ \t]*\)/y],
  ['[', /\[[ \t]*/y],
  [']', /[ \t]*\]/y],
  ['{', /\{[ \t]*/y],
  ['}', /[ \t]*\}/y],
  [':', /[ \t]*:[ \t]*/y],
  ['equal', /[ \t]*=[ \t]*/y],
  [
    'float',
    new RegExp(
      `[+-]?(?:(?:${pointFloat}|${unsignedInt})[eE][+-]?${digits}|${pointFloat}|[iI][nN][fF]|[nN][aA][nN])`,
      'y',
    ),
  ],
  ['int', new RegExp(`[+-]?${unsignedInt}`, 'y')],
  ['bool', /true|false/iy],
  ['null', /null/iy],
  ['symbol', /[/\-\\+.$%*@?|]/y],
  ['word', /[a-zA-Z_][a-zA-Z0-9_-]*/y],
  ['escape', /(?:\\[\\()[\]{}:=, \t])+/y],
  ['space', /[ \t]+/y],
  ['quoted', /"(?:(?:\\\\)*|[^]*?[^\\](?:\\\\)*)"|'(?:(?:\\\\)*|[^]*?[^\\](?:\\\\)*)'/y],
  ['interpolation', /\$\{[^}]+\}/y],
];

/**
 * Splits an override into tokens: up to the first `=` by the rules for keys, and after it by those for values. An unknown token is
 * the last one.
 */
export function tokenize(text: string): Token[] {
  return scan(text, text.length, true);
}

/** Splits a value without a key into tokens. */
export function tokenizeValue(text: string): Token[] {
  return scan(text, text.length, false);
}

function scan(text: string, end: number, startsWithKey: boolean): Token[] {
  const tokens: Token[] = [];
  let inKey = startsWithKey;
  for (let at = 0; at < end;) {
    const token = inKey ? keyToken(text, at) : longest(valueRules, text, at);
    tokens.push(token);
    at += token.text.length;
    // The parser fails at an unknown token, so it never reads what follows.
    if (token.type === 'unknown') break;
    if (inKey && token.type === 'equal') inKey = false;
  }
  return [...tokens, { type: 'end', text: '', at: end }];
}

function keyToken(text: string, at: number): Token {
  const equal = /=[ \t]*/y;
  equal.lastIndex = at;
  const match = equal.exec(text);
  return match ? { type: 'equal', text: match[0], at } : longest(keyRules, text, at);
}

function longest(rules: readonly Rule[], text: string, at: number): Token {
  let best: Token = { type: 'unknown', text: String.fromCodePoint(text.codePointAt(at) ?? 0), at };
  for (const [type, pattern] of rules) {
    pattern.lastIndex = at;
    const match = pattern.exec(text)?.[0];
    if (match !== undefined && (best.type === 'unknown' || match.length > best.text.length))
      best = { type, text: match, at };
  }
  return best;
}
