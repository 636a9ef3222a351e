import { counted, type Example } from '@nautil/contracts';
import { parsePythonInt, splitWords } from '@nautil/python-format';
import { DataError } from './data-error.js';
import { LabelSearch, type MissingLabels } from './missing-labels.js';
import { hasTab, MissingTabs } from './missing-tabs.js';
import { formatHints, FormatVotes } from './name-format.js';
import { excerptOf, parsePairLine } from './parse-pair.js';
import { readLines, type TextSource } from './read-lines.js';
import type { SkippedLine } from './skipped-line.js';
import { maxLabel, missingTabHint } from './trainability.js';

export interface ReadOptions {
  /** Reads only the first N lines, counted before any is skipped, as NeMo does. 0, -1 and undefined read all. */
  numSamples?: number;

  /** A label outside 0 … numClasses-1 is then an error. */
  numClasses?: number;

  /** Whether `numClasses` is that of a trained model, which no setting changes. */
  isTrained?: boolean;

  /** Each line is a text, a tab, a second text, a tab, and a label; the examples have a `textPair`. Default false. */
  pairs?: boolean | undefined;

  /** Every example is added to it. */
  tabs?: MissingTabs;
}

/**
 * Reads a TSV file as NeMo does. Words are separated by any whitespace; tabs have no special meaning. The last word is the
 * label if Python's int() accepts it, and the words before it, joined by single spaces, are the text. Other lines are yielded as skipped, with the
 * reason (NeMo crashes on a blank line). Memory use is constant. With `pairs`, which NeMo does not have, tabs separate the columns.
 *
 * @throws DataError for a file that cannot be read, has another format or no valid line, or has a label out of range
 */
export async function* readExamples(
  source: TextSource,
  options: ReadOptions = {},
): AsyncGenerator<Example | SkippedLine> {
  const { numClasses, isTrained = false, pairs = false, tabs = new MissingTabs() } = options;
  const path = typeof source === 'string' ? source : source.name;
  const lastLine = options.numSamples !== undefined && options.numSamples > 0 ? options.numSamples : Infinity;
  let line = 0;
  let examples = 0;
  let firstSkipped: SkippedLine | undefined;
  let first: SkippedLine | undefined;
  let outside: { example: Example; content: string } | undefined;
  const votes = new FormatVotes();
  const search = new LabelSearch();
  reading: for await (const lines of readLines(source)) {
    for (const content of lines) {
      if (line === lastLine) break reading;
      line++;
      const found = pairs ? parsePairLine(content, line) : parseLine(content, line);
      if (content.trim() !== '') {
        votes.add(content);
        search.add(content, 'label' in found);
      }
      if (first) {
        // Only the next line shows whether the first one is a header or the labels are not whole numbers.
        const isHeader = 'label' in found || content.trim() === '';
        yield isHeader ? { ...first, reason: `${first.reason} (a header?)` } : first;
        first = undefined;
      }
      if ('label' in found) {
        tabs.add(content, found);
        if (outside) continue;
        if (!isInRange(found, numClasses)) {
          outside = { example: found, content };
          // Whether the missing tab is the cause depends on the other lines; a stream may have no end.
          if (typeof source !== 'string' || hasTab(content)) break reading;
          continue;
        }
        examples++;
        yield found;
      } else if (!outside) {
        firstSkipped ??= found;
        if (line === 1 && mayBeHeader(content)) first = found;
        else yield found;
      }
    }
  }
  if (first) yield first;
  const other = otherFormat(path, votes);
  if (other) throw other;
  if (outside) {
    const isTabMissing = tabs.labels().has(outside.example.label);
    throw outOfRange(path, outside.example, outside.content, { numClasses, isTrained, isTabMissing });
  }
  if (examples === 0)
    throw noValidLine(path, line, firstSkipped, { pairs, cause: pairs ? undefined : search.result() });
}

/** Whether a first line without a label is a header: it has a name in place of the label, hence no digit. */
export const mayBeHeader = (content: string): boolean => /^\D+$/.test(splitWords(content).at(-1) ?? '');

/** Whether an item of `readExamples` is a skipped line. */
export function isSkipped(item: Example | SkippedLine): item is SkippedLine {
  return 'reason' in item;
}

/** Yields only the examples and passes each skipped line to `onSkipped`. */
export async function* examplesOf(
  lines: AsyncIterable<Example | SkippedLine>,
  onSkipped: (skipped: SkippedLine) => void,
): AsyncGenerator<Example> {
  for await (const item of lines) {
    if (isSkipped(item)) onSkipped(item);
    else yield item;
  }
}

/** Parses one line without its terminator. */
export function parseLine(content: string, line: number): Example | SkippedLine {
  const plain = parsePlainLine(content, line);
  if (plain) return plain;
  const words = splitWords(content);
  const last = words.pop();
  if (last === undefined) return { line, reason: 'blank line', content };
  const label = parsePythonInt(last);
  if (label !== undefined) return { line, text: words.join(' '), label };
  const reason = `the last word, ${JSON.stringify(excerptOf(last, 40))}, is not an integer label`;
  return { line, reason, content };
}

/** Labels of more digits are left to `parsePythonInt`. */
const mostPlainDigits = 9;

/**
 * Parses a line as nearly all are: words with single spaces between them, a tab and digits. Undefined for any other. Neither a
 * regular expression nor a string for each word takes part, which makes it five times as fast.
 */
function parsePlainLine(content: string, line: number): Example | undefined {
  const tab = content.indexOf('\t');
  const digits = content.length - tab - 1;
  if (tab < 1 || digits < 1 || digits > mostPlainDigits) return undefined;
  let label = 0;
  for (let at = tab + 1; at < content.length; at++) {
    const digit = content.charCodeAt(at) - zero;
    if (digit < 0 || digit > 9) return undefined;
    label = label * 10 + digit;
  }
  // GLUE's files have a space before the tab.
  const end = content.charCodeAt(tab - 1) === space ? tab - 1 : tab;
  let previous = space;
  for (let at = 0; at < end; at++) {
    const unit = content.charCodeAt(at);
    if (unit === space ? previous === space : isRareSpace(unit)) return undefined;
    previous = unit;
  }
  return previous === space ? undefined : { line, text: content.slice(0, end), label };
}

const space = 0x20;
const zero = 0x30;

/** Whether a unit may be white space of Python other than U+0020. */
const isRareSpace = (unit: number): boolean =>
  unit < space ||
  (unit > 0x7e && (unit === 0x85 || unit === 0xa0 || unit === 0x1680 || (unit >= 0x2000 && unit <= 0x3000)));

function otherFormat(path: string, votes: FormatVotes): DataError | undefined {
  const format = votes.winner();
  return format && new DataError(`${path} looks like ${format}, not like NeMo's TSV`, { hint: formatHints[format] });
}

const isInRange = ({ label }: Example, numClasses: number | undefined): boolean =>
  numClasses === undefined ? Math.abs(label) <= maxLabel : label >= 0 && label < numClasses;

function outOfRange(
  path: string,
  { line, label }: Example,
  content: string,
  o: { numClasses: number | undefined; isTrained: boolean; isTabMissing: boolean },
): DataError {
  const { numClasses, isTrained } = o;
  const shown = shownLabel(label, content);
  if (numClasses === undefined) {
    return new DataError(`${path}:${line}: label ${shown} is too large`, {
      hint: o.isTabMissing ? missingTabHint : 'labels are whole numbers that start at 0',
    });
  }
  // Whether a larger number of classes would do.
  const fits = !isTrained && label >= 0 && label <= maxLabel;
  return new DataError(
    `${path}:${line}: label ${shown} is not between 0 and ${numClasses - 1} (${isTrained ? `the model has ${counted(numClasses, 'class', 'classes')}` : `num_classes is ${numClasses}`})`,
    {
      setting: o.isTabMissing || !fits ? undefined : `model.dataset.num_classes=${label + 1}`,
      hint: o.isTabMissing
        ? missingTabHint
        : !fits
          ? `correct the label; \`npx nautil inspect ${path}\` lists every such line`
          : `correct the label, or set model.dataset.num_classes to ${label + 1} or more; \`npx nautil inspect ${path}\` lists the labels`,
    },
  );
}

/** A label as the file has it where it is too large for a number, which would be rounded; else in decimal digits. */
export const shownLabel = (label: number, content: string): string =>
  Number.isSafeInteger(label) ? String(label) : excerptOf(splitWords(content).at(-1) ?? '', 40);

function noValidLine(
  path: string,
  lines: number,
  firstSkipped: SkippedLine | undefined,
  { pairs, cause }: { pairs: boolean; cause: MissingLabels | undefined },
): DataError {
  const format = pairs
    ? 'each line is a text, a tab, a second text, a tab, and a label (a whole number)'
    : 'each line is a text, a tab, and a label (a whole number)';
  if (lines === 0) return new DataError(`${path} is empty`, { hint: format });
  const why = firstSkipped ? `; line ${firstSkipped.line}: ${firstSkipped.reason}` : '';
  return new DataError(
    `${path} has no valid line (${lines} were read)${why}${cause === undefined ? '' : `; ${cause.message}`}`,
    { hint: pairs ? format : `${cause?.hint ?? format}; \`npx nautil inspect ${path}\` lists the problems` },
  );
}
