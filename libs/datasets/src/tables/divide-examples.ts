import { join } from 'node:path';
import { counted } from '@nautil/contracts';
import { LineFile } from './line-file.js';
import { derivedSeed, seededSelection } from './seeded-selection.js';

export const dataSplits = ['train', 'validation', 'test'] as const;
export type DataSplit = (typeof dataSplits)[number];

/** The examples of a split as lines of NeMo's TSV, with the number of examples of each class. */
export interface SplitExamples {
  counts: ReadonlyMap<string, number>;

  /** Reads all examples, each time in the same order. */
  lines: () => AsyncIterable<{ label: string; line: string }>;
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

/** The number of examples of each class that the validation set gets: at least one of two, and none of one. */
function validationCounts(counts: ReadonlyMap<string, number>, fraction: number): Map<string, number> {
  return new Map(
    [...counts].map(([label, count]) => [
      label,
      count < 2 ? 0 : Math.min(count - 1, Math.max(1, Math.round(count * fraction))),
    ]),
  );
}

/** The number of examples of each split before samples are taken. */
function dividedSizes(examples: Examples, o: DivideOptions): SplitSizes {
  const all = sum(examples.train.counts);
  const { validation, test } = examples;
  const off = validation ? 0 : sum(validationCounts(examples.train.counts, o.validationFraction));
  const isDivided = !validation && o.validationFraction > 0 && off > 0;
  return {
    train: isDivided ? all - off : all,
    ...(isDivided ? { validation: off } : {}),
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
  if (!validation && sizes.validation !== undefined) {
    const alone = [...train.counts.values()].filter((count) => count < 2).length;
    const left = alone === 0 ? '' : `, none of ${counted(alone, 'class', 'classes')} with one example`;
    notes.push(
      `without a validation set, ${sizes.validation} of ${counted(sum(train.counts), 'training example')} became one: the same share of each class${left} (nautil.data.validation_fraction=${o.validationFraction}, nautil.seed=${o.seed})`,
    );
  }
  for (const split of dataSplits) {
    const [size, take] = [sizes[split], o.samples?.[split] ?? 0];
    if (size === undefined || take <= 0 || take >= size) continue;
    notes.push(
      `${take} of ${size} ${split} examples were taken at random (model.${split}_ds.num_samples, nautil.seed=${o.seed})`,
    );
  }
  return notes;
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

  if (isDivided) await writeDivided(examples.train, o, { written, sampleOf });
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
  { counts, lines }: SplitExamples,
  { seed, validationFraction }: DivideOptions,
  o: { written: { train: string; validation?: string }; sampleOf: (split: DataSplit) => () => boolean },
): Promise<void> {
  const takes = validationCounts(counts, validationFraction);
  const selections = new Map(
    [...counts].map(([label, total]) => {
      const purpose = derivedSeed(seed, `validation of ${label}`);
      return [label, seededSelection({ seed: purpose, take: takes.get(label) ?? 0, total })];
    }),
  );
  const [inTrain, inValidation] = [o.sampleOf('train'), o.sampleOf('validation')];
  const train = await LineFile.create(o.written.train);
  const validation = await LineFile.create(o.written.validation ?? '');
  try {
    for await (const { label, line } of lines()) {
      if (selections.get(label)?.() === true) {
        if (inValidation()) await validation.write(line);
      } else if (inTrain()) await train.write(line);
    }
  } finally {
    await train.close();
    await validation.close();
  }
}

const sum = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((total, count) => total + count, 0);
