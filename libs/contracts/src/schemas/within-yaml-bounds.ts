import { Lexer } from 'yaml';

/** A configuration of 50,000 keys has 250,000. The parser needs up to 3 µs and a kilobyte for each. */
const mostTokens = 300_000;

const isSpace = /^\s*$/;

/**
 * Parses a YAML text, unless it has so many tokens that the parser would take seconds and hundreds of megabytes: a megabyte of
 * commas is a million of them.
 *
 * @throws SyntaxError when the text has too many tokens
 */
export function withinYamlBounds<T>(text: string, parse: (text: string) => T): T {
  let tokens = 0;
  for (const token of new Lexer().lex(text)) {
    if (!isSpace.test(token) && ++tokens > mostTokens)
      throw new SyntaxError(`it has more than ${mostTokens} keys, values and punctuation marks`);
  }
  // The parser creates an error for each wrong token, and all but the first are dropped: most of their cost is the stack.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return parse(text);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
