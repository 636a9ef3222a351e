import { stat } from 'node:fs/promises';
import { LengthHistogram, type LengthSummary } from './length-histogram.js';
import { splitWords } from '@nautil/python-format';
import { isSkipped, parseLine, type Example } from './read-examples.js';
import { readLines, type InvalidPlace } from './read-lines.js';
import { SeenTexts } from './seen-texts.js';

export interface InspectOptions {
  /** The number of classes that the file is meant for: labels beyond it are errors. */
  numClasses?: number;

  /** Names of the classes, by label. */
  labelNames?: string[];

  /** Counts the tokens of a text, [CLS] and [SEP] included. */
  countTokens?: (text: string) => number;

  /** Tokens that training keeps of a text. */
  maxLength?: number;
}

/** `error`: the file can't be trained on; `warning`: it can, but something is probably wrong; `note`: worth knowing. */
export type Severity = 'error' | 'warning' | 'note';

/** A place in the file; line and column from 1, the column in characters. */
export interface Place {
  line: number;
  column: number;
  detail: string;
}

/** One kind of problem, with how often it occurs and where it does first. */
export interface Problem {
  kind: ProblemKind;
  severity: Severity;
  count: number;
  message: string;
  hint: string;

  /** The first few. */
  places: Place[];
}

export interface LabelShare {
  label: number;
  name?: string;
  count: number;

  /** Of all examples, 0 … 1. */
  share: number;
}

/** What a TSV holds and what is wrong with it; plain JSON. */
export interface TsvInspection {
  path: string;
  sizeBytes: number;
  lines: number;
  examples: number;

  /** Whether `readExamples` would take it to the end. */
  trainable: boolean;

  /** The largest label plus one. */
  numClasses: number;

  labels: LabelShare[];

  /** Of texts; absent when there is none. */
  characters?: LengthSummary;
  words?: LengthSummary;
  tokens?: LengthSummary;

  /** Errors first. */
  problems: Problem[];
}

interface ProblemText {
  severity: Severity;
  message: string;
  hint: string;
}

const problemTexts = {
  encoding: {
    severity: 'error',
    message: 'lines that are not valid UTF-8',
    hint: 'convert the file, if it is Latin-1: iconv -f ISO-8859-1 -t UTF-8 FILE > utf8.tsv',
  },
  'no-example': {
    severity: 'error',
    message: 'no line holds an example',
    hint: 'each line is a text, a tab, and its label, a whole number from 0',
  },
  'negative-label': { severity: 'error', message: 'labels below 0', hint: 'labels count from 0: renumber them' },
  'label-beyond-classes': {
    severity: 'error',
    message: 'labels that are not below num_classes',
    hint: 'correct the labels, or raise model.dataset.num_classes',
  },
  'label-too-large': {
    severity: 'error',
    message: 'labels beyond two thousand million',
    hint: 'labels count from 0: renumber them',
  },
  'label-not-integer': {
    severity: 'warning',
    message: 'lines whose last word is not an integer: skipped',
    hint: 'end each line by a tab and its label; 1.0 or positive is not a label',
  },
  blank: { severity: 'warning', message: 'blank lines: skipped (NeMo stops at the first)', hint: 'remove them' },
  'no-tab': {
    severity: 'warning',
    message: 'lines without a tab: their last word is taken for the label, as NeMo does',
    hint: 'put a tab before the label, and check that a text that ends with a number does not lose it',
  },
  'inner-tab': {
    severity: 'note',
    message: 'texts with a tab inside: it is read as a space, the last column is the label',
    hint: 'check that there are no other columns in the file',
  },
  'empty-text': {
    severity: 'warning',
    message: 'examples without text',
    hint: 'remove them: nothing can be learned from them',
  },
  'label-gap': {
    severity: 'warning',
    message: 'labels below the largest that no example has',
    hint: 'renumber the labels without gaps; each gap costs a class that is never right',
  },
  'one-label': {
    severity: 'warning',
    message: 'all examples have the same label',
    hint: 'there is nothing to tell apart',
  },
  conflict: {
    severity: 'warning',
    message: 'texts that occurred before with another label',
    hint: 'decide on one label for each',
  },
  duplicate: {
    severity: 'warning',
    message: 'texts that occurred before with the same label',
    hint: 'remove them; make sure above all that no text is in both training and test files',
  },
  'damaged-text': {
    severity: 'warning',
    message: 'texts with U+FFFD: their encoding was lost before',
    hint: 'make the file again from its source, read in the right encoding',
  },
  'line-separator': {
    severity: 'note',
    message: 'texts with U+0085, U+2028 or U+2029 inside: read as a space',
    hint: 'editors that end lines there count lines differently',
  },
  'odd-label': {
    severity: 'note',
    message: 'labels that are integers to Python in another spelling (+1, 1_0, full-width digits)',
    hint: 'write plain digits',
  },
  header: { severity: 'note', message: 'a header: skipped', hint: 'it does no harm' },
  imbalance: {
    severity: 'note',
    message: 'the most frequent label has ten times the examples of the rarest, or more',
    hint: 'model.dataset.class_balancing=weighted_loss weighs them; look at macro F1, not at accuracy',
  },
  truncated: {
    severity: 'note',
    message: 'texts longer than max_seq_length tokens: cut at the end',
    hint: 'raise model.dataset.max_seq_length, up to the positions of the encoder',
  },
} as const satisfies Record<string, ProblemText>;

export type ProblemKind = keyof typeof problemTexts;

const keptPlaces = 5;
const severities: Severity[] = ['error', 'warning', 'note'];

/**
 * Reads a TSV to its end and tells all that is wrong with it. Memory is bounded: repeated texts are looked for among the first
 * four million different ones, and a note says when there were more.
 *
 * @throws DataError for a file that can't be read at all (missing, UTF-16, one endless line).
 */
export async function inspectTsv(path: string, options: InspectOptions = {}): Promise<TsvInspection> {
  const problems = new Problems();
  const counts = new Map<number, number>();
  const seen = new SeenTexts();
  const lengths = { characters: new LengthHistogram(), words: new LengthHistogram(), tokens: new LengthHistogram() };
  let line = 0;
  let examples = 0;
  const onInvalid = ({ line, column, byte }: InvalidPlace) =>
    problems.add('encoding', { line, column, detail: `byte 0x${byte.toString(16).padStart(2, '0')}` });

  for await (const lines of readLines(path, { onInvalid })) {
    for (const content of lines) {
      line++;
      const found = parseLine(content, line);
      if (isSkipped(found)) {
        problems.addSkipped(content, line, found.reason);
        continue;
      }
      examples++;
      counts.set(found.label, (counts.get(found.label) ?? 0) + 1);
      problems.addExample(content, found, options);
      lengths.characters.add(characterCount(found.text));
      lengths.words.add(found.text === '' ? 0 : found.text.split(' ').length);
      if (options.countTokens) lengths.tokens.add(options.countTokens(found.text));
      if (found.text === '') continue;
      const first = seen.add(found.text, found);
      if (!first) continue;
      if (first.label === found.label) problems.add('duplicate', { line, column: 1, detail: `as line ${first.line}` });
      else
        problems.add('conflict', {
          line,
          column: 1,
          detail: `label ${found.label}, but ${first.label} on line ${first.line}`,
        });
    }
  }

  const labels = labelShares(counts, examples, options.labelNames);
  problems.addFindings(labels, examples);
  if (options.maxLength !== undefined) problems.addCount('truncated', lengths.tokens.above(options.maxLength));
  return {
    path,
    sizeBytes: (await stat(path)).size,
    lines: line,
    examples,
    trainable: !problems.has('error'),
    numClasses: Math.max(0, ...counts.keys()) + (examples > 0 ? 1 : 0),
    labels,
    ...present('characters', lengths.characters.summary()),
    ...present('words', lengths.words.summary()),
    ...present('tokens', lengths.tokens.summary()),
    problems: problems.list(seen.comparedOnly),
  };
}

/** Problems by kind: how many, and the first few places. */
class Problems {
  readonly #found = new Map<ProblemKind, { count: number; places: Place[]; which?: string }>();

  add(kind: ProblemKind, place: Place): void {
    const found = this.#of(kind);
    found.count++;
    if (found.places.length < keptPlaces) found.places.push(place);
  }

  /** `which` ends the message. */
  addCount(kind: ProblemKind, count: number, which?: string): void {
    if (count > 0) Object.assign(this.#of(kind), { count, which });
  }

  has(severity: Severity): boolean {
    return [...this.#found.keys()].some((kind) => problemTexts[kind].severity === severity);
  }

  addSkipped(content: string, line: number, reason: string): void {
    const words = splitWords(content);
    if (words.length === 0) return this.add('blank', { line, column: 1, detail: '' });
    const place = { line, column: lastWordColumn(content), detail: excerptOf(content) };
    // A header has a name where the lines have their label: no digit in it.
    if (line === 1 && !/\d/.test(words.at(-1) ?? '')) return this.add('header', { ...place, column: 1 });
    this.add('label-not-integer', { ...place, detail: reason });
  }

  addExample(content: string, { line, text, label }: Example, { numClasses }: InspectOptions): void {
    const atLabel = (detail: string): Place => ({ line, column: lastWordColumn(content), detail });
    if (label < 0) this.add('negative-label', atLabel(`label ${label}`));
    else if (numClasses !== undefined && label >= numClasses)
      this.add('label-beyond-classes', atLabel(`label ${label}, num_classes ${numClasses}`));
    else if (label >= 2 ** 31) this.add('label-too-large', atLabel(`label ${label}`));
    if (text === '') this.add('empty-text', { line, column: 1, detail: `label ${label}` });
    const tabs = content.trimEnd().split('\t').length - 1;
    if (tabs === 0 && text !== '') this.add('no-tab', atLabel(excerptOf(content)));
    const firstTab = content.indexOf('\t');
    if (tabs > 1)
      this.add('inner-tab', {
        line,
        column: characterCount(content.slice(0, firstTab)) + 1,
        detail: excerptOf(content),
      });
    if (splitWords(content).at(-1) !== String(label)) this.add('odd-label', atLabel(`label ${label}`));
    this.#addCharacter('damaged-text', content, /\ufffd/, line);
    this.#addCharacter('line-separator', content, /[\u0085\u2028\u2029]/, line);
  }

  /** What only shows when all was read. */
  addFindings(labels: LabelShare[], examples: number): void {
    if (examples === 0) return this.addCount('no-example', 1);
    const classes = labels.filter(({ label }) => label >= 0);
    const largest = classes.at(-1)?.label ?? -1;
    this.addCount('label-gap', largest + 1 - classes.length, firstGaps(classes, largest));
    if (labels.length === 1) this.addCount('one-label', 1);
    const sizes = labels.map(({ count }) => count);
    if (Math.max(...sizes) >= 10 * Math.min(...sizes)) this.addCount('imbalance', 1);
  }

  list(comparedOnly: number | undefined): Problem[] {
    // The U+FFFD of lines that are not UTF-8 are ours.
    if (this.#found.has('encoding')) this.#found.delete('damaged-text');
    const problems = [...this.#found].map(([kind, { count, places, which }]): Problem => {
      const bounded = comparedOnly !== undefined && (kind === 'duplicate' || kind === 'conflict');
      const compared = bounded ? ` (compared with the first ${comparedOnly} different texts)` : '';
      const message = `${problemTexts[kind].message}${which === undefined ? '' : `: ${which}`}${compared}`;
      return { kind, ...problemTexts[kind], message, count, places };
    });
    return problems.sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
  }

  #addCharacter(kind: ProblemKind, content: string, pattern: RegExp, line: number): void {
    const at = content.search(pattern);
    if (at >= 0) this.add(kind, { line, column: characterCount(content.slice(0, at)) + 1, detail: excerptOf(content) });
  }

  #of(kind: ProblemKind): { count: number; places: Place[]; which?: string } {
    const found = this.#found.get(kind) ?? { count: 0, places: [] };
    this.#found.set(kind, found);
    return found;
  }
}

function labelShares(counts: ReadonlyMap<number, number>, examples: number, names: string[] = []): LabelShare[] {
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([label, count]) => ({ label, ...present('name', names[label]), count, share: count / examples }));
}

function firstGaps(classes: LabelShare[], largest: number): string {
  const used = new Set(classes.map(({ label }) => label));
  const gaps: number[] = [];
  for (let label = 0; label < largest && gaps.length <= keptPlaces; label++) if (!used.has(label)) gaps.push(label);
  return gaps.length > keptPlaces ? `${gaps.slice(0, keptPlaces).join(', ')} …` : gaps.join(', ');
}

/** Where the last word of a line starts. */
function lastWordColumn(content: string): number {
  const last = splitWords(content).at(-1) ?? '';
  return characterCount(content.slice(0, content.lastIndexOf(last))) + 1;
}

function characterCount(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    // The second half of a surrogate pair is no character of its own.
    if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++;
  }
  return count;
}

function excerptOf(content: string): string {
  const visible = content.trim().replace(/\s+/g, ' ');
  return visible.length <= 60 ? visible : `${visible.slice(0, 59)}…`;
}

function present<Key extends string, Value>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> {
  return value === undefined ? {} : ({ [key]: value } as Record<Key, Value>);
}
