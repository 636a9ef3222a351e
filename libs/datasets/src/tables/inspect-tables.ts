import { ownCopy } from '@nautil/contracts';
import { LengthHistogram, type LengthSummary } from '../length-histogram.js';
import { SeenTexts } from '../seen-texts.js';
import { type DataSplit, dataSplits } from './divide-examples.js';
import {
  type ChosenTable,
  labelledRows,
  type NumberedSplit,
  type SurveyOptions,
  surveyTables,
  type TableSurvey,
  textsOf,
} from './survey-tables.js';

interface InspectTablesOptions extends SurveyOptions {
  /** Counts the tokens of a text or of a pair, including [CLS] and [SEP]. */
  countTokens?: (text: string, textPair?: string) => number;

  /** Keeps so many texts of each class. */
  examples?: number;

  /** Keeps so many places of each kind of repetition; default 5. */
  places?: number;
}

/** A class of a split. */
export interface ClassShare {
  label: string;
  id: number;
  count: number;

  /** Fraction of the split. */
  share: number;

  /** The first texts of the class. */
  examples?: string[];
}

export interface SplitInspection {
  split: DataSplit;
  paths: string[];
  examples: number;

  /** Rows without a text or a label. */
  skipped: number;
  classes: ClassShare[];
  characters?: LengthSummary;
  words?: LengthSummary;
  tokens?: LengthSummary;
}

/** A kind of repetition, with its number and the first places. */
export interface Repetition {
  kind: 'duplicate' | 'conflict' | 'leak';
  count: number;

  /** `dev.csv:7: as train.csv:3`. */
  places: string[];
}

/** The content of tables; plain JSON. */
export interface TableInspection {
  /** Sentences about formats, columns, classes and skipped rows. */
  notes: string[];
  pairs: boolean;
  names: string[];
  splits: SplitInspection[];
  repetitions: Repetition[];

  /** The limit on compared texts, if it was reached. */
  comparedOnly?: number;
}

/** Places of each kind of repetition that are usually kept. */
const usualPlaces = 5;

/** Labels and tables share one number in the record of a text. */
const labelsPerTable = 1 << 14;

/**
 * Reads tables completely, as a run does, and describes their classes, lengths and repetitions. Memory is bounded as in
 * `inspectTsv`.
 *
 * @throws DataError for tables that a run rejects
 */
export async function inspectTables(o: InspectTablesOptions): Promise<TableInspection> {
  const survey = await surveyTables(o);
  const repetitions = new Repetitions(survey, o.places ?? usualPlaces);
  const splits: SplitInspection[] = [];
  for (const split of dataSplits) {
    const surveyed = survey.splits[split];
    if (surveyed === undefined) continue;
    const lengths = { characters: new LengthHistogram(), words: new LengthHistogram(), tokens: new LengthHistogram() };
    const texts = new Map<number, string[]>();
    for (const chosen of surveyed.tables) {
      const tableIndex = repetitions.begin(chosen, split);
      for await (const { position, row } of labelledRows(chosen)) {
        if (row === undefined) continue;
        const text = textsOf(row);
        lengths.characters.add([...row.text].length);
        lengths.words.add(row.text.split(' ').length);
        if (o.countTokens) lengths.tokens.add(o.countTokens(row.text, row.textPair));
        const id = surveyed.idOf(row.label) ?? 0;
        repetitions.add(text, { tableIndex, position, id });
        const kept = texts.get(id) ?? [];
        if (kept.length < (o.examples ?? 0) && !kept.includes(text)) texts.set(id, [...kept, ownCopy(text)]);
      }
    }
    splits.push({
      split,
      paths: surveyed.tables.map(({ table }) => table.path),
      examples: surveyed.examples,
      skipped: surveyed.skipped,
      classes: classesOf(surveyed, survey.names, texts),
      ...present('characters', lengths.characters.summary()),
      ...present('words', lengths.words.summary()),
      ...present('tokens', lengths.tokens.summary()),
    });
  }
  return {
    notes: survey.notes,
    pairs: survey.pairs,
    names: survey.names,
    splits,
    repetitions: repetitions.list(),
    ...present('comparedOnly', repetitions.comparedOnly),
  };
}

function classesOf(
  { counts, examples, idOf }: NumberedSplit,
  names: readonly string[],
  texts: ReadonlyMap<number, string[]>,
): ClassShare[] {
  const byId = new Map<number, number>();
  for (const [label, count] of counts) byId.set(idOf(label) ?? 0, (byId.get(idOf(label) ?? 0) ?? 0) + count);
  return [...byId]
    .map(([id, count]) => {
      const share = count / Math.max(1, examples);
      return { label: names[id] ?? String(id), id, count, share, ...present('examples', texts.get(id)) };
    })
    .sort((a, b) => a.id - b.id);
}

interface Occurrence {
  tableIndex: number;
  position: number;
  id: number;
}

/** Finds texts that occur again: in one split with the same or with another label, or in a split other than the first. */
class Repetitions {
  readonly #survey: TableSurvey;
  readonly #seen = new SeenTexts();
  readonly #tables: { table: ChosenTable['table']; split: DataSplit }[] = [];
  readonly #found = new Map<Repetition['kind'], Repetition>();

  readonly #keptPlaces: number;

  constructor(survey: TableSurvey, keptPlaces: number) {
    this.#survey = survey;
    this.#keptPlaces = keptPlaces;
  }

  begin({ table }: ChosenTable, split: DataSplit): number {
    this.#tables.push({ table, split });
    return this.#tables.length - 1;
  }

  add(text: string, { tableIndex, position, id }: Occurrence): void {
    const first = this.#seen.add(text, { line: position, label: tableIndex * labelsPerTable + id });
    if (first === undefined) return;
    const firstId = first.label % labelsPerTable;
    const before = this.#tables[Math.floor(first.label / labelsPerTable)];
    const now = this.#tables[tableIndex];
    if (before === undefined || now === undefined) return;
    const kind = firstId !== id ? 'conflict' : before.split === now.split ? 'duplicate' : 'leak';
    const found = this.#found.get(kind) ?? { kind, count: 0, places: [] };
    this.#found.set(kind, found);
    found.count++;
    if (found.places.length >= this.#keptPlaces) return;
    const names = kind === 'conflict' ? ` (${this.#nameOf(id)}, there ${this.#nameOf(firstId)})` : '';
    found.places.push(`${now.table.placeOf(position)}: as ${before.table.placeOf(first.line)}${names}`);
  }

  list(): Repetition[] {
    return (['leak', 'conflict', 'duplicate'] as const).flatMap((kind) => this.#found.get(kind) ?? []);
  }

  get comparedOnly(): number | undefined {
    return this.#seen.comparedOnly;
  }

  #nameOf(id: number): string {
    return this.#survey.names[id] ?? String(id);
  }
}

function present<Key extends string, Value>(key: Key, value: Value | undefined): Partial<Record<Key, Value>> {
  return value === undefined ? {} : ({ [key]: value } as Record<Key, Value>);
}
