const plainWord = /^[\w@%+=:,./-]+$/;

/** Quotes a word where a POSIX shell would not take it as it is: `a b` becomes `'a b'`. */
export const shellWord = (word: string): string =>
  plainWord.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;

/**
 * A command line for messages, which works when it is pasted into a shell.
 *
 * @example
 * nautilCommand('resume', 'my run') // npx nautil resume 'my run'
 */
export const nautilCommand = (...words: readonly string[]): string =>
  ['npx', 'nautil', ...words].map(shellWord).join(' ');

/**
 * An override that sets a text, in quotation marks where Hydra's grammar needs them. For a shell, `shellWord` quotes it once more.
 *
 * @example
 * overrideOf('nautil.data.text_column', 'a (b)') // nautil.data.text_column="a (b)"
 */
export const overrideOf = (key: string, value: string): string =>
  `${key}=${plainText.test(value) ? value : quoted(value)}`;

/** A text of an override that is no number, no truth value and no null without marks, either. */
const plainText = /^(?!(?:true|false|null|nan|inf)$)[a-z_/][\w./-]*$/i;

/** Hydra reads a backslash as itself, unless a quotation mark follows it. */
const quoted = (text: string): string => `"${text.replaceAll(/(\\*)"/g, String.raw`$1$1\"`).replace(/\\+$/, '$&$&')}"`;
