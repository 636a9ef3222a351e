import { counted, type Example } from '@nautil/contracts';
import { parsePythonInt, splitWords } from '@nautil/python-format';
import type { SkippedLine } from './skipped-line.js';

/**
 * Parses one line of a file of pairs: a text, a tab, a second text, a tab, and a label that Python's int() accepts. White space
 * within a text becomes single spaces, as in files of single texts.
 */
export function parsePairLine(content: string, line: number): Example | SkippedLine {
  if (content.trim() === '') return { line, reason: 'blank line', content };
  const columns = content.split('\t');
  const [text = '', textPair = '', label = ''] = columns;
  if (columns.length !== 3)
    return skipped(
      content,
      line,
      `it has ${counted(columns.length - 1, 'tab')}, and a pair has two: a text, a second text, and a label`,
    );
  const number = parsePythonInt(label.trim());
  if (number === undefined)
    return skipped(content, line, `its third column, ${JSON.stringify(excerptOf(label, 40))}, is not an integer label`);
  return { line, text: wordsOf(text), textPair: wordsOf(textPair), label: number };
}

/** The two texts of a line without a label: a text, a tab, a second text. Undefined for a line with another number of tabs. */
export function pairOf(content: string): [first: string, second: string] | undefined {
  const [first, second, ...more] = content.split('\t');
  return first === undefined || second === undefined || more.length > 0 ? undefined : [first, second];
}

/** A text with single spaces between its words. */
export const wordsOf = (text: string): string => splitWords(text).join(' ');

const skipped = (content: string, line: number, reason: string): SkippedLine => ({
  line,
  reason,
  content,
});

/** The beginning of a text, of at most `length` characters. */
export function excerptOf(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
