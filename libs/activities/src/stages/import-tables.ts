import type { Config } from '@nautil/config';
import type { FileRef, ResolvedRun, Source } from '@nautil/contracts';
import {
  type DataSplit,
  dataSplits,
  divideExamples,
  type DivideOptions,
  divisionNotes,
  sizesOf,
  type SplitSizes,
  type SurveyOptions,
  surveyTables,
  tableExamples,
  tsvExamples,
  writeClassNames,
} from '@nautil/datasets/tables';
import { fileRef, knownSha256, stageOutput } from '@nautil/store';
import { redoOf } from './run-settings.js';
import { treeDigest } from './tree-digest.js';

/** The share of a table that becomes the validation set, if the user sets none. */
const usualFraction = 0.1;

/** What the converted files depend on beside the tables; a change of what the converter writes needs another number. */
const converterVersion = 3;

type Tables = NonNullable<Source['data']['tables']>;

/** Tables as NeMo's TSV files. */
export interface ImportedTables {
  files: { train: FileRef; validation?: FileRef; test?: FileRef; labels: FileRef };

  /** Whether each example has two texts. */
  pairs: boolean;

  /** Sentences about the columns, the classes, and the examples that were skipped, split off or sampled. */
  notes: string[];
}

/** The columns that the configuration names. */
export const configuredColumns = ({ text_column, text_pair_column, label_column }: Config['nautil']['data']) => ({
  text: text_column ?? undefined,
  textPair: text_pair_column ?? undefined,
  label: label_column ?? undefined,
});

/** How tables are surveyed, by the configuration. */
function surveyOptions(tables: Tables, labels: string | undefined, { model, nautil }: Config): SurveyOptions {
  return {
    paths: tables,
    columns: configuredColumns(nautil.data),
    asTable: nautil.data.format === 'table',
    labelsFile: model.class_labels.class_labels_file ?? labels,
    numClasses: model.dataset.num_classes ?? undefined,
  };
}

/** How the examples of tables are divided and sampled, by the configuration. */
function divideOptions({ model, nautil }: Config): DivideOptions {
  const { validation_fraction, sample } = nautil.data;
  return {
    seed: nautil.seed,
    validationFraction: validation_fraction ?? usualFraction,
    samples: sample === 'first' ? {} : numSamples(model),
  };
}

const numSamples = ({ train_ds, validation_ds, test_ds }: Config['model']): Record<DataSplit, number> => ({
  train: train_ds.num_samples,
  validation: validation_ds.num_samples,
  test: test_ds.num_samples,
});

/**
 * The number of examples by split that a run has of its tables, which are read completely.
 *
 * @throws DataError as `surveyTables`
 */
export async function checkTables(tables: Tables, config: Config): Promise<SplitSizes> {
  const division = divideOptions(config);
  // The copies of texts decide the sizes of a division. Texts that are in two splits are a note of the convert stage.
  const comparesTexts = tables.validation === undefined && division.validationFraction > 0;
  const surveyed = await surveyTables({ ...surveyOptions(tables, undefined, config), comparesTexts });
  return sizesOf(tableExamples(surveyed), division);
}

/** Converts tables to NeMo's TSV files. A run with equal tables at the same paths, and with equal settings, shares them. */
export async function importTables(
  run: ResolvedRun,
  tables: Tables,
  o: { config: Config; labels: string | undefined },
): Promise<{ output: ImportedTables; reused: boolean; warnings: string[] }> {
  const survey = surveyOptions(tables, o.labels, o.config);
  const division = divideOptions(o.config);
  const inputs = {
    version: converterVersion,
    tables,
    content: await digestsOf(tables),
    columns: survey.columns,
    asTable: survey.asTable,
    numClasses: survey.numClasses,
    names: survey.labelsFile === undefined ? undefined : await knownSha256(survey.labelsFile),
    division,
    redo: redoOf(run, 'convert'),
  };
  return stageOutput('convert', inputs, async ({ folder }): Promise<ImportedTables> => {
    const surveyed = await surveyTables({ ...survey, comparesTexts: true });
    const examples = tableExamples(surveyed);
    const written = await divideExamples(examples, { ...division, folder });
    return {
      files: { ...(await refsOf(written)), labels: await fileRef(await writeClassNames(surveyed.names, folder)) },
      pairs: surveyed.pairs,
      notes: [...surveyed.notes, ...divisionNotes(examples, division)],
    };
  });
}

/** A sentence for each setting of the division that the data deprives of its effect. */
export function divisionWithoutEffect(
  { model, nautil }: Config,
  o: { hasValidation: boolean; examples: SplitSizes },
): string[] {
  const { validation_fraction: fraction, sample } = nautil.data;
  const isSampled = dataSplits.some((split) => {
    const [take, size] = [numSamples(model)[split], o.examples[split]];
    return take > 0 && size !== undefined && take <= size;
  });
  return [
    ...(fraction !== null && o.hasValidation
      ? ['nautil.data.validation_fraction has no effect: the data has a validation set']
      : []),
    ...(sample !== null && !isSampled
      ? ['nautil.data.sample has no effect: no num_samples is less than the examples']
      : []),
  ];
}

/** Paths of NeMo's TSV files. */
type TsvFiles = { train: string } & Partial<Record<'validation' | 'test', string | undefined>>;

/** How the examples of NeMo's TSV files are divided and sampled; undefined if they are used as they are, as in NeMo. */
export function tsvDivision({ model, nautil }: Config, files: TsvFiles): DivideOptions | undefined {
  const { validation_fraction: fraction, sample } = nautil.data;
  const validationFraction = files.validation === undefined ? (fraction ?? 0) : 0;
  const samples: Partial<Record<DataSplit, number>> = sample === 'random' ? numSamples(model) : {};
  const isSampled = Object.values(samples).some((count) => count > 0);
  return validationFraction > 0 || isSampled ? { seed: nautil.seed, validationFraction, samples } : undefined;
}

const comparing = ({ validationFraction }: DivideOptions) => ({ comparesTexts: validationFraction > 0 });

/** The number of examples by split that NeMo's TSV files have after the division. */
export const dividedTsvSizes = async (files: TsvFiles, division: DivideOptions): Promise<SplitSizes> =>
  sizesOf(await tsvExamples(files, comparing(division)), division);

/** Copies NeMo's TSV files with a part of the training data as the validation set, or with random samples. */
export async function dividedTsv(
  run: ResolvedRun,
  files: TsvFiles,
  division: DivideOptions,
): Promise<{ output: { files: TsvRefs; sizes: SplitSizes; notes: string[] }; reused: boolean; warnings: string[] }> {
  const paths = Object.fromEntries(
    dataSplits.flatMap((split) => (files[split] === undefined ? [] : [[split, [files[split]]]])),
  );
  const content = await digestsOf(paths);
  const inputs = { version: converterVersion, content, division, redo: redoOf(run, 'convert') };
  return stageOutput('convert', inputs, async ({ folder }) => {
    const examples = await tsvExamples(files, comparing(division));
    const written = await divideExamples(examples, { ...division, folder });
    const sizes = sizesOf(examples, division);
    return { files: await refsOf(written), sizes, notes: divisionNotes(examples, division) };
  });
}

type TsvRefs = { train: FileRef } & Partial<Record<'validation' | 'test', FileRef>>;

async function refsOf({ train, validation, test }: TsvFiles): Promise<TsvRefs> {
  return {
    train: await fileRef(train),
    ...(validation === undefined ? {} : { validation: await fileRef(validation) }),
    ...(test === undefined ? {} : { test: await fileRef(test) }),
  };
}

async function digestsOf(paths: Partial<Record<DataSplit, string[]>>): Promise<Record<string, string[]>> {
  const digests: Record<string, string[]> = {};
  for (const [split, some] of Object.entries(paths)) {
    digests[split] = [];
    for (const path of some) digests[split].push(await treeDigest(path));
  }
  return digests;
}
