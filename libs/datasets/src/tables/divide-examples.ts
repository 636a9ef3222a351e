import { join } from 'node:path';
import { counted, listed } from '@nautil/contracts';
import { LineFile } from './line-file.js';
import { derivedSeed, seededSelection } from './seeded-selection.js';
import { quotedName } from './shown-names.js';
import type { RepeatedText, TextCopies } from './text-copies.js';

export const dataSplits = ['train', 'validation', 'test'] as const;
export type DataSplit = (typeof dataSplits)[number];

/** The examples of a split as lines of NeMo's TSV, with the number of examples of each class. */
export interface SplitExamples {
  counts: ReadonlyMap<string, number>;

  /** The texts that occur more than once; absent if they were not looked for. */
  copies?: TextCopies | undefined;

  /** Reads all examples, each time in the same order. `text` has both texts of a pair. */
  lines: () => AsyncIterable<{ label: string; text: string; line: string }>;
}

export type Examples = { train: SplitExamples } & Partial<Record<'validation' | 'test', SplitExamples>>;

/** A number for each split that there is. */
export type SplitSizes = { train: number } & Partial<Record<'validation' | 'test', number>>;

export interface DivideOptions {
  seed: number;

  /** The share of each class of the training data that becomes the validation set, if there is none; 0: no such set. */
  validationFraction: number;

  /** Takes a random sample of so many examples of a split; 0 and -1 take all. */
  samples?: Partial<Record<DataSplit, number>>;
}

/** Which training examples become the validation set. */
interface Division {
  /** For each class, how many of the examples whose texts occur once. */
  once: ReadonlyMap<string, { take: number; total: number }>;

  /** The repeated texts of which all copies do. */
  repeated: ReadonlySet<RepeatedText>;

  /** Number of validation examples of each class. */
  counts: ReadonlyMap<string, number>;

  /** Whether copies of one text may be in both sets, because no class has two texts. */
  dividesCopies: boolean;

  /** Number of repeated texts; of those with several labels; and of those with too many copies for the validation set. */
  texts: { repeated: number; several: number; frequent: number };
}

/**
 * Chooses the validation set so that equal texts are on one side, since a text that was trained on shows nothing about others. Each
 * class gives its share, and at least one text of two, but never all. What does not allow that stays in the training set: a text
 * with more copies than the share has room for, and one with several labels. Where no class has two texts, nothing can be validated,
 * and copies are divided like other examples, so that a trial of a run with a few copied lines works.
 *
 * NOTE: without repeated texts, the examples are those that Nautil chose before it compared texts: a seed repeats an earlier run.
 */
function divisionOf(examples: SplitExamples, o: DivideOptions): Division {
  const division = divisionByText(examples, o);
  return sum(division.counts) > 0
    ? division
    : { ...divisionByText({ ...examples, copies: undefined }, o), dividesCopies: true };
}

function divisionByText({ counts, copies }: SplitExamples, { seed, validationFraction }: DivideOptions): Division {
  const once = new Map<string, { take: number; total: number }>();
  const [taken, repeated] = [new Map(counts), new Set<RepeatedText>()];
  const byLabel = copies?.repeatedByLabel() ?? new Map<string | undefined, RepeatedText[]>();
  let frequent = 0;
  for (const [label, count] of counts) {
    const texts = byLabel.get(label) ?? [];
    const total = count - (copies?.repeatedRows(label) ?? 0);
    const room = roomFor({ count, total, texts }, validationFraction);
    const fitting = texts.filter((text) => text.copies <= room);
    const chosen = chosenTexts(fitting, { room, total, seed: derivedSeed(seed, `validation of copies of ${label}`) });
    for (const text of chosen) repeated.add(text);
    const take = Math.min(total, room - rowsOf(chosen));
    once.set(label, { take, total });
    taken.set(label, rowsOf(chosen) + take);
    frequent += texts.length - fitting.length;
  }
  const several = byLabel.get(undefined)?.length ?? 0;
  const all = [...byLabel.values()].reduce((sum, texts) => sum + texts.length, 0);
  return { once, repeated, counts: taken, dividesCopies: false, texts: { repeated: all, several, frequent } };
}

/**
 * The largest number of examples of a class that the validation set gets: its share, or the copies of its rarest text if at least as
 * many examples of the class are left.
 *
 * @param o.total - examples whose texts occur once
 * @param o.texts - the repeated texts of the class
 */
function roomFor(
  { count, total, texts }: { count: number; total: number; texts: readonly RepeatedText[] },
  fraction: number,
): number {
  const share = shareOf(count, fraction);
  const rarest = total > 0 ? 1 : texts.reduce((least, { copies }) => Math.min(least, copies), count);
  return share === 0 || rarest > count / 2 ? 0 : Math.max(share, rarest);
}

/** Chooses repeated texts at random, so that their copies are as large a part of the validation set as of the class. */
function chosenTexts(
  texts: readonly RepeatedText[],
  { room, total, seed }: { room: number; total: number; seed: number },
): RepeatedText[] {
  const rows = rowsOf(texts);
  const take = total === 0 ? room : Math.round((room * rows) / (rows + total));
  const isTaken = seededSelection({ seed, take, total: rows });
  return texts.filter(({ copies }) => isTaken(copies));
}

const rowsOf = (texts: readonly RepeatedText[]): number => texts.reduce((rows, { copies }) => rows + copies, 0);

/** The number of examples of a class that the validation set should get: at least one of two, and none of one. */
const shareOf = (count: number, fraction: number): number =>
  count < 2 || fraction === 0 ? 0 : Math.min(count - 1, Math.max(1, Math.round(count * fraction)));

/** The number of examples of each split before samples are taken. */
function dividedSizes(examples: Examples, o: DivideOptions): SplitSizes {
  const all = sum(examples.train.counts);
  const { validation, test } = examples;
  const off = validation || o.validationFraction === 0 ? 0 : sum(divisionOf(examples.train, o).counts);
  return {
    train: all - off,
    ...(off > 0 ? { validation: off } : {}),
    ...(validation ? { validation: sum(validation.counts) } : {}),
    ...(test ? { test: sum(test.counts) } : {}),
  };
}

/** The number of examples that `divideExamples` writes of each split. */
export function sizesOf(examples: Examples, o: DivideOptions): SplitSizes {
  const sizes = dividedSizes(examples, o);
  for (const split of dataSplits) {
    const [size, take] = [sizes[split], o.samples?.[split] ?? 0];
    if (size !== undefined && take > 0) sizes[split] = Math.min(size, take);
  }
  return sizes;
}

/** Sentences about the examples that are split off and sampled. */
export function divisionNotes(examples: Examples, o: DivideOptions): string[] {
  const sizes = dividedSizes(examples, o);
  const { train, validation } = examples;
  const notes: string[] = [];
  if (!validation && sizes.validation !== undefined) notes.push(divisionNote(train, o));
  for (const split of dataSplits) {
    const [size, take] = [sizes[split], o.samples?.[split] ?? 0];
    if (size === undefined || take <= 0 || take >= size) continue;
    notes.push(
      `${take} of ${size} ${split} examples were taken at random (model.${split}_ds.num_samples, nautil.seed=${o.seed})`,
    );
  }
  return notes;
}

/** A sentence on the part of the training data that becomes the validation set. */
function divisionNote(examples: SplitExamples, o: DivideOptions): string {
  const division = divisionOf(examples, o);
  const { counts, copies } = examples;
  const keys = `nautil.data.validation_fraction=${o.validationFraction}, nautil.seed=${o.seed}`;
  const became = `${sum(division.counts)} of ${counted(sum(counts), 'training example')} became one`;
  if (division.dividesCopies)
    return `without a validation set, ${became}: copies of texts that are trained on, since no class has two texts of its own; its scores show nothing about other texts (${keys})`;
  const isExact = [...counts].every(
    ([label, count]) => count < 2 || division.counts.get(label) === shareOf(count, o.validationFraction),
  );
  const without = [...division.counts.values()].filter((count) => count === 0).length;
  const larger = [...counts].flatMap(([label, count]) => {
    const share = (division.counts.get(label) ?? 0) / count;
    return share > 1.5 * o.validationFraction && share * count > 1
      ? [`${Math.round(100 * share)} % of ${quotedName(label)}`]
      : [];
  });
  return [
    `without a validation set, ${became}: ${isExact ? 'the same' : 'about the same'} share of each class`,
    larger.length === 0 ? '' : `, but ${listed(larger.slice(0, 3))}, whose texts have many copies`,
    without === 0
      ? ''
      : `; ${counted(without, 'class', 'classes')} with fewer than two texts of ${without === 1 ? 'its own stays' : 'their own stay'} in the training set`,
    copiesNote(copies, division),
    ` (${keys})`,
  ].join('');
}

function copiesNote(copies: TextCopies | undefined, { texts: { repeated, several, frequent } }: Division): string {
  if (repeated === 0) return '';
  const reasons = [
    ...(several === 0 ? [] : [`several labels (${several})`]),
    ...(frequent === 0 ? [] : [`too many copies for the validation set (${frequent})`]),
  ];
  const comparedOnly = copies?.comparedOnly;
  return [
    `; ${counted(repeated, 'text occurs', 'texts occur')} more than once, and all copies of ${repeated === 1 ? 'it' : 'each'} are in one of the two sets`,
    reasons.length === 0 ? '' : `; texts that have ${reasons.join(' or ')} stay in the training set`,
    comparedOnly === undefined ? '' : ` (compared with the first ${comparedOnly} different texts)`,
  ].join('');
}

/**
 * Writes examples as NeMo's TSV files, `train.tsv` and so on. Equal examples and options give equal bytes. The examples keep
 * their order.
 *
 * @returns the paths by split
 */
export async function divideExamples(
  examples: Examples,
  o: DivideOptions & { folder: string },
): Promise<{ train: string } & Partial<Record<'validation' | 'test', string>>> {
  const sizes = dividedSizes(examples, o);
  const written = { train: join(o.folder, 'train.tsv') } as Awaited<ReturnType<typeof divideExamples>>;
  for (const split of ['validation', 'test'] as const)
    if (sizes[split] !== undefined) written[split] = join(o.folder, `${split}.tsv`);
  const isDivided = !examples.validation && written.validation !== undefined;
  const sampleOf = (split: DataSplit): (() => boolean) => sampling(split, sizes[split] ?? 0, o);

  if (isDivided) await writeDivided(examples.train, { ...o, written, sampleOf });
  else await writeSampled(examples.train, written.train, sampleOf('train'));
  for (const split of ['validation', 'test'] as const) {
    const [some, path] = [examples[split], written[split]];
    if (some && path !== undefined) await writeSampled(some, path, sampleOf(split));
  }
  return written;
}

/** Decides for each of `total` examples of a split, one after the other, whether a run takes it. */
export function sampling(split: DataSplit, total: number, { seed, samples }: DivideOptions): () => boolean {
  const take = samples?.[split] ?? 0;
  return take <= 0 || take >= total
    ? () => true
    : seededSelection({ seed: derivedSeed(seed, `sample of ${split}`), take, total });
}

async function writeSampled({ lines }: SplitExamples, path: string, isTaken: () => boolean): Promise<void> {
  const file = await LineFile.create(path);
  try {
    for await (const { line } of lines()) if (isTaken()) await file.write(line);
  } finally {
    await file.close();
  }
}

/** Writes the training and the validation set in one pass over the training data. */
async function writeDivided(
  examples: SplitExamples,
  o: DivideOptions & { written: { train: string; validation?: string }; sampleOf: (split: DataSplit) => () => boolean },
): Promise<void> {
  const isValidation = selectionOf(examples, o);
  const [inTrain, inValidation] = [o.sampleOf('train'), o.sampleOf('validation')];
  const train = await LineFile.create(o.written.train);
  const validation = await LineFile.create(o.written.validation ?? '');
  try {
    for await (const { label, text, line } of examples.lines()) {
      if (isValidation(label, text)) {
        if (inValidation()) await validation.write(line);
      } else if (inTrain()) await train.write(line);
    }
  } finally {
    await train.close();
    await validation.close();
  }
}

/** Decides for each training example, one after the other, whether it becomes part of the validation set. */
function selectionOf(examples: SplitExamples, o: DivideOptions): (label: string, text: string) => boolean {
  const { once, repeated, dividesCopies } = divisionOf(examples, o);
  const selections = new Map(
    [...once].map(([label, some]) => [
      label,
      seededSelection({ seed: derivedSeed(o.seed, `validation of ${label}`), ...some }),
    ]),
  );
  return (label, text) => {
    const copied = dividesCopies ? undefined : examples.copies?.find(text);
    return copied ? repeated.has(copied) : selections.get(label)?.() === true;
  };
}

const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((total, count) => total + count, 0);
