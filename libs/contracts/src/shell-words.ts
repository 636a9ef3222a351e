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
