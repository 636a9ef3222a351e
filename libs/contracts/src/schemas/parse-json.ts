/** Deeper than any file that Nautil reads. Code that walks a parsed value recursively relies on it. */
const deepest = 100;

/** The largest vocabulary, XLM-V's with 900,000 tokens and scores, has 2.7 million. 3.3 million take more than 500 MB. */
const mostValues = 3_000_000;

/** Above the tokens of the largest vocabulary. Objects take more time and memory than lists: 2 million keys 3 s and 500 MB. */
const mostKeys = 1_200_000;

/**
 * `JSON.parse` with bounds: a few megabytes of brackets can otherwise take gigabytes of memory, or end the recursion of the
 * code that walks the result.
 *
 * @throws SyntaxError when the text is not JSON, or is nested too deeply or has too many values or keys
 */
export function parseJson(text: string): unknown {
  checkStructure(text);
  return JSON.parse(text);
}

function checkStructure(text: string): void {
  let depth = 0;
  let values = 0;
  let keys = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) {
      at = endOfString(text, at);
      if (at < 0) return; // JSON.parse reports it
    } else if (code === openBracket || code === openBrace) {
      values++;
      if (++depth > deepest) throw new SyntaxError(`it is nested more than ${deepest} levels deep`);
    } else if (code === closeBracket || code === closeBrace) depth--;
    else if (code === comma) values++;
    else if (code === colon && ++keys > mostKeys) throw new SyntaxError(`it has more than ${mostKeys} keys`);
    if (values > mostValues) throw new SyntaxError(`it has more than ${mostValues} values`);
  }
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** The position of the quotation mark that closes the string which starts at `start`; -1 if none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === backslash) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return -1;
}
