import { stat } from 'node:fs/promises';
import type { Example } from '@nautil/contracts';
import { splitWords } from '@nautil/python-format';
import { LengthHistogram, type LengthSummary } from './length-histogram.js';
import { LabelSearch, type MissingLabels } from './missing-labels.js';
import { hasTab, MissingTabs } from './missing-tabs.js';
import { FormatVotes, isQuoted } from './name-format.js';
import { isSkipped, mayBeHeader, parseLine, shownLabel } from './read-examples.js';
import { labelNamesFault } from './read-label-names.js';
import { encodingHint, type InvalidPlace, readLines } from './read-lines.js';
import { SeenTexts } from './seen-texts.js';
import { labelFault, missingTabHint } from './trainability.js';

export interface InspectOptions {
  /** Number of classes; labels beyond it are errors. */
  numClasses?: number;

  /** Class names by label id. */
  labelNames?: string[];

  /** The file of the class names, to check that it has one for each class. */
  labelsFile?: string;

  /** Counts the tokens of a text, including [CLS] and [SEP]. */
  countTokens?: (text: string) => number;

  /** Number of tokens to which training truncates a text. */
  maxLength?: number;
}

/** `error`: the file is not trainable; `warning`: it is, but something is probably wrong; `note`: worth knowing. */
type Severity = 'error' | 'warning' | 'note';

/** A position in the file; line and column start at 1, and columns count characters. */
interface Place {
  line: number;
  column: number;
  detail: string;
}

/** One kind of problem, with its number of occurrences and the first of them. */
export interface Problem {
  kind: ProblemKind;
  severity: Severity;
  count: number;
  message: string;
  hint: string;

  /** The first few occurrences. */
  places: Place[];
}

interface LabelShare {
  label: number;
  name?: string;
  count: number;

  /** Fraction of all examples. */
  share: number;
}

/** The contents and the problems of a TSV file; plain JSON. */
export interface TsvInspection {
  path: string;
  sizeBytes: number;
  lines: number;
  examples: number;

  /** Whether a model can be trained on the file. */
  trainable: boolean;

  /** The largest label plus 1. */
  numClasses: number;

  labels: LabelShare[];

  /** Statistics of the texts; absent without texts. */
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
    hint: 'convert the file to UTF-8',
  },
  'no-example': {
    severity: 'error',
    message: 'no line is an example',
    hint: 'each line is a text, a tab, and a label (a whole number from 0)',
  },
  'labels-missing': {
    severity: 'warning',
    message: 'most lines have no label',
    hint: 'end each line with a tab and its label (a whole number from 0)',
  },
  'other-format': {
    severity: 'error',
    message: "a format other than NeMo's",
    hint: 'write on each line a text, a tab, and a label (a whole number), without quotation marks',
  },
  'negative-label': {
    severity: 'error',
    message: 'labels below 0',
    hint: 'labels start at 0: correct them, or set nautil.data.relabel=true to number them from 0',
  },
  'label-beyond-classes': {
    severity: 'error',
    message: 'labels that are not less than num_classes',
    hint: 'correct the labels, raise model.dataset.num_classes, or, if they start at 1, set nautil.data.relabel=true to number them from 0',
  },
  'label-too-large': {
    severity: 'error',
    message: 'labels above 2,147,483,647',
    hint: 'labels start at 0: renumber them',
  },
  'label-not-integer': {
    severity: 'warning',
    message: 'lines whose last word is not an integer: skipped',
    hint: 'end each line with a tab and its label; neither 1.0 nor "positive" is a label',
  },
  blank: { severity: 'warning', message: 'blank lines: skipped (NeMo crashes on the first)', hint: 'remove them' },
  'no-tab': {
    severity: 'warning',
    message: 'lines without a tab: their last word is read as the label, as in NeMo',
    hint: 'put a tab before the label, and check that no text ends with a number that is not its label',
  },
  'inner-tab': {
    severity: 'note',
    message: 'texts with a tab inside: the tab is read as a space, and the last column as the label',
    hint: 'check that the file has no other columns',
  },
  'label-names': {
    severity: 'error',
    message: 'the class names do not fit the labels',
    hint: 'write one name for each class; if only this file lacks some classes, give --num-classes (model.dataset.num_classes)',
  },
  quoted: {
    severity: 'warning',
    message: 'texts in quotation marks: the marks become tokens',
    hint: "NeMo's format has no quotation: remove them, or set nautil.data.format=table, which leaves marks around all texts out",
  },
  'empty-text': {
    severity: 'warning',
    message: 'examples without text',
    hint: 'remove them: a model learns nothing from them',
  },
  'label-gap': {
    severity: 'warning',
    message: 'labels below the largest label without any example',
    hint: 'renumber the labels from 0 without gaps, or set nautil.data.relabel=true; each gap adds a class that is never correct',
  },
  'one-label': {
    severity: 'error',
    message: 'all examples have the same label: a classifier needs two classes',
    hint: 'if the other classes are only absent here, set model.dataset.num_classes (--num-classes)',
  },
  'sparse-labels': {
    severity: 'error',
    message: 'the labels would leave most classes without examples',
    hint: 'set model.dataset.num_classes if the empty classes are intended, or nautil.data.relabel=true to number the labels from 0',
  },
  conflict: {
    severity: 'warning',
    message: 'texts that occur earlier with a different label',
    hint: 'choose one label for each text',
  },
  duplicate: {
    severity: 'warning',
    message: 'texts that occur earlier with the same label',
    hint: 'remove them; above all, make sure that no text is in both the training and the test file',
  },
  'damaged-text': {
    severity: 'warning',
    message: 'texts with U+FFFD: an earlier conversion lost characters',
    hint: 'create the file again from its source, with the right encoding',
  },
  'nul-byte': {
    severity: 'warning',
    message: 'texts with NUL bytes',
    hint: "remove them: tr -d '\\000' < FILE > text.tsv",
  },
  'long-line': {
    severity: 'warning',
    message: 'lines of more than 10,000 characters',
    hint: 'check that no line end is missing: training reads only the first tokens of a text',
  },
  'line-separator': {
    severity: 'note',
    message: 'texts with U+0085, U+2028 or U+2029 inside: read as a space',
    hint: 'some editors treat these characters as line ends and number the lines differently',
  },
  'odd-label': {
    severity: 'note',
    message: 'labels in a spelling that only Python accepts as an integer (+1, 1_0, full-width digits)',
    hint: 'write plain digits',
  },
  header: { severity: 'note', message: 'a header: skipped', hint: 'it does no harm' },
  imbalance: {
    severity: 'note',
    message: 'the most frequent label has at least ten times the examples of the rarest',
    hint: 'model.dataset.class_balancing=weighted_loss compensates; judge by macro F1, not by accuracy',
  },
  truncated: {
    severity: 'note',
    message: 'texts longer than max_seq_length tokens: truncated at the end',
    hint: 'raise model.dataset.max_seq_length, up to the maximum length of the encoder',
  },
} as const satisfies Record<string, ProblemText>;

export type ProblemKind = keyof typeof problemTexts;

const keptPlaces = 5;

/** In UTF-16 code units. Texts of which a model reads more than a part are shorter. */
const longLine = 10_000;
const severities: Severity[] = ['error', 'warning', 'note'];

/**
 * Reads a TSV file completely and reports every problem. Memory is bounded: repetitions are detected among the first four
 * million distinct texts, and the report states when there were more.
 *
 * @throws DataError for a file that cannot be read at all (missing, UTF-16, a line without end)
 */
export async function inspectTsv(path: string, options: InspectOptions = {}): Promise<TsvInspection> {
  const problems = new Problems();
  const counts = new Map<number, number>();
  const seen = new SeenTexts();
  const lengths = { characters: new LengthHistogram(), words: new LengthHistogram(), tokens: new LengthHistogram() };
  let line = 0;
  let examples = 0;
  const votes = new FormatVotes();
  const search = new LabelSearch();
  const onInvalid = ({ byte, ...position }: InvalidPlace) =>
    problems.add('encoding', { ...position, detail: `byte 0x${byte.toString(16).padStart(2, '0')}` });

  for await (const lines of readLines(path, { onInvalid })) {
    for (const content of lines) {
      line++;
      const found = parseLine(content, line);
      if (content.trim() !== '') {
        votes.add(content);
        search.add(content, !isSkipped(found));
      }
      problems.addLine(content, line);
      if (isSkipped(found)) {
        problems.addSkipped(content, line, found.reason);
        continue;
      }
      examples++;
      counts.set(found.label, (counts.get(found.label) ?? 0) + 1);
      problems.addExample(content, found, options);
      lengths.characters.add(characterCount(found.text));
      lengths.words.add(wordCount(found.text));
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
  problems.addFormat(votes);
  problems.addMissingLabels(search.result(), examples);
  problems.addFindings(labels, examples, options);
  if (options.maxLength !== undefined) problems.addCount('truncated', lengths.tokens.above(options.maxLength));
  return {
    path,
    sizeBytes: (await stat(path)).size,
    lines: line,
    examples,
    trainable: !problems.has('error'),
    numClasses: Math.max(-1, labels.at(-1)?.label ?? -1) + 1,
    labels,
    ...present('characters', lengths.characters.summary()),
    ...present('words', lengths.words.summary()),
    ...present('tokens', lengths.tokens.summary()),
    problems: await withEncodingHint(path, problems.list(seen.comparedOnly)),
  };
}

/** Adds the command that converts the file to a report on lines that are not UTF-8. */
async function withEncodingHint(path: string, problems: Problem[]): Promise<Problem[]> {
  if (!problems.some(({ kind }) => kind === 'encoding')) return problems;
  const hint = await encodingHint(path);
  return problems.map((problem) => (problem.kind === 'encoding' ? { ...problem, hint } : problem));
}

/** Collects problems by kind, with their number and first places. */
class Problems {
  readonly #tabs = new MissingTabs();

  /** The first line, as a line without a label. */
  #header: Place | undefined;
  readonly #found = new Map<
    ProblemKind,
    { count: number; places: Place[]; which?: string; hint?: string; severity?: Severity }
  >();

  add(kind: ProblemKind, place: Place): void {
    const found = this.#of(kind);
    found.count++;
    if (found.places.length < keptPlaces) found.places.push(place);
  }

  /**
   * @param which - appended to the message
   * @param hint - replaces the hint of the kind
   */
  addCount(kind: ProblemKind, count: number, which?: string, hint?: string): void {
    if (count > 0) Object.assign(this.#of(kind), { count, which, hint });
  }

  has(severity: Severity): boolean {
    return [...this.#found].some(([kind, found]) => (found.severity ?? problemTexts[kind].severity) === severity);
  }

  /** Adds what is probably wrong with a line whether it is an example or not. */
  addLine(content: string, line: number): void {
    this.#addCharacter('nul-byte', content, /\0/, line);
    if (content.length > longLine) this.add('long-line', { line, column: 1, detail: excerptOf(content) });
  }

  addSkipped(content: string, line: number, reason: string): void {
    const words = splitWords(content);
    if (words.length === 0) return this.add('blank', { line, column: 1, detail: '' });
    const place = { line, column: lastWordColumn(content), detail: excerptOf(content) };
    if (line === 1 && mayBeHeader(content)) {
      this.#header = { ...place, detail: reason };
      return this.add('header', { ...place, column: 1 });
    }
    this.add('label-not-integer', { ...place, detail: reason });
  }

  /** Adds the reason why most lines have no label. Then the first line has none either, and is no header. */
  addMissingLabels(cause: MissingLabels | undefined, examples: number): void {
    if (cause === undefined || this.#found.has('other-format')) return;
    if (this.#header) {
      this.#found.delete('header');
      const found = this.#of('label-not-integer');
      found.count++;
      found.places = [this.#header, ...found.places].slice(0, keptPlaces);
    }
    this.addCount(examples === 0 ? 'no-example' : 'labels-missing', 1, cause.message, cause.hint);
  }

  addExample(content: string, { line, text, label }: Example, { numClasses }: InspectOptions): void {
    const atLabel = (detail: string): Place => ({ line, column: lastWordColumn(content), detail });
    const shown = shownLabel(label, content);
    if (label < 0) this.add('negative-label', atLabel(`label ${shown}`));
    else if (numClasses !== undefined && label >= numClasses)
      this.add('label-beyond-classes', atLabel(`label ${shown}, num_classes ${numClasses}`));
    else if (label >= 2 ** 31) this.add('label-too-large', atLabel(`label ${shown}`));
    if (isQuoted(text)) this.add('quoted', { line, column: 1, detail: excerptOf(content) });
    if (text === '') this.add('empty-text', { line, column: 1, detail: `label ${shown}` });
    this.#tabs.add(content, { text, label });
    if (text !== '' && !hasTab(content)) this.add('no-tab', atLabel(excerptOf(content)));
    const firstTab = content.indexOf('\t');
    if (firstTab !== content.trimEnd().lastIndexOf('\t'))
      this.add('inner-tab', {
        line,
        column: characterCount(content.slice(0, firstTab)) + 1,
        detail: excerptOf(content),
      });
    if (!content.endsWith(`\t${shown}`) && splitWords(content).at(-1) !== shown)
      this.add('odd-label', atLabel(`label ${shown}`));
    this.#addCharacter('damaged-text', content, /\ufffd/, line);
    this.#addCharacter('line-separator', content, /[\u0085\u2028\u2029]/, line);
  }

  addFormat(votes: FormatVotes): void {
    const format = votes.winner();
    if (format !== undefined) this.addCount('other-format', 1, format);
  }

  /** Adds problems that are known only after the last line. */
  addFindings(labels: LabelShare[], examples: number, { numClasses, labelNames, labelsFile }: InspectOptions): void {
    if (examples === 0) {
      if (!this.#found.has('other-format') && !this.#found.has('no-example')) this.addCount('no-example', 1);
      return;
    }
    const withoutTab = this.#tabs.labels();
    const classes = labels.filter(({ label }) => label >= 0 && !withoutTab.has(label));
    const largest = classes.at(-1)?.label ?? -1;
    this.addCount('label-gap', largest + 1 - classes.length, firstGaps(classes, largest));
    const fault = labelFault(
      labels.map(({ label }) => label),
      numClasses,
      withoutTab,
    );
    if (fault?.withoutTab) {
      this.#found.delete(fault.kind);
      Object.assign(this.#of('no-tab'), { severity: 'error', hint: missingTabHint });
    } else if (fault && !this.#found.has(fault.kind)) this.addCount(fault.kind, 1);
    if (labelNames && labelsFile !== undefined) {
      const misfit = labelNamesFault(labelsFile, labelNames, numClasses ?? (labels.at(-1)?.label ?? -1) + 1);
      if (misfit) this.addCount('label-names', 1, misfit.message);
    }
    const sizes = labels.filter(({ label }) => !withoutTab.has(label)).map(({ count }) => count);
    const most = sizes.reduce((a, b) => Math.max(a, b), 0);
    const least = sizes.reduce((a, b) => Math.min(a, b), Infinity);
    if (most >= 10 * least) this.addCount('imbalance', 1);
  }

  list(comparedOnly: number | undefined): Problem[] {
    // Decoding an invalid line introduces U+FFFD, so the file itself may contain none.
    if (this.#found.has('encoding')) this.#found.delete('damaged-text');
    const problems = [...this.#found].map(([kind, { count, places, which, hint, severity }]): Problem => {
      const bounded = comparedOnly !== undefined && (kind === 'duplicate' || kind === 'conflict');
      const compared = bounded ? ` (compared with the first ${comparedOnly} different texts)` : '';
      const message = `${problemTexts[kind].message}${which === undefined ? '' : `: ${which}`}${compared}`;
      return {
        kind,
        ...problemTexts[kind],
        ...present('hint', hint),
        ...present('severity', severity),
        message,
        count,
        places,
      };
    });
    // Lines without a tab may be the cause of the other problems.
    const rank = ({ kind, severity }: Problem) => 2 * severities.indexOf(severity) + (kind === 'no-tab' ? 0 : 1);
    return problems.sort((a, b) => rank(a) - rank(b));
  }

  #addCharacter(kind: ProblemKind, content: string, pattern: RegExp, line: number): void {
    const at = content.search(pattern);
    if (at >= 0) this.add(kind, { line, column: characterCount(content.slice(0, at)) + 1, detail: excerptOf(content) });
  }

  #of(kind: ProblemKind): { count: number; places: Place[]; which?: string; hint?: string; severity?: Severity } {
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

/** Column where the last word of a line starts. */
function lastWordColumn(content: string): number {
  const last = splitWords(content).at(-1) ?? '';
  return characterCount(content.slice(0, content.lastIndexOf(last))) + 1;
}

/** Number of words of an example's text, which have single spaces between them. */
function wordCount(text: string): number {
  if (text === '') return 0;
  let count = 1;
  for (let at = text.indexOf(' '); at >= 0; at = text.indexOf(' ', at + 1)) count++;
  return count;
}

function characterCount(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    // The second half of a surrogate pair is not a character of its own.
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
