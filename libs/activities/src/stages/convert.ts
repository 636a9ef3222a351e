import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Config, printConfig } from '@nautil/config';
import type { FileRef, LabelledData, ResolvedRun, Source, StageResult } from '@nautil/contracts';
import { DataError, importDataset, relabelTsv } from '@nautil/datasets';
import { type Echo, logCountedConfig } from '@nautil/nemo';
import { fileRef, sha256Of, stageOutput, writeFileAtomic } from '@nautil/store';
import { checkLabels, type LabelledFiles } from './check-labels.js';
import { dividedTsv, divisionWithoutEffect, importTables, tsvDivision } from './import-tables.js';
import { requireBatches } from './require-batches.js';
import { configOf, countedConfigOf, redoOf, savedConfigFile } from './run-settings.js';
import { settingsWithoutEffect } from './settings-without-effect.js';
import { treeDigest } from './tree-digest.js';

type Split = 'train' | 'validation' | 'test';

/** Converts the run's data to NeMo's TSV files, unless it has that format already, and validates them. */
export async function convert({
  run,
  source,
  echo,
}: {
  run: ResolvedRun;
  source: Source;
  echo?: Echo;
}): Promise<StageResult<LabelledData>> {
  const { config } = await configOf(run);
  const { dataset, class_labels } = config.model;
  const { format, relabel } = config.nautil.data;
  let files: Partial<Record<Split | 'labels', string | undefined>> = source.data;
  let reused = false;
  let pairs = false;
  const damage: string[] = [];
  let tableNotes: string[] = [];
  if (source.data.tables !== undefined) {
    const made = await importTables(run, source.data.tables, { config, labels: source.data.labels });
    const { files: refs, notes } = made.output;
    pairs = made.output.pairs;
    reused = made.reused;
    tableNotes = [...notes, ...made.warnings];
    files = Object.fromEntries(Object.entries(refs).map(([split, ref]) => [split, ref.path]));
  } else if (isConverted(format) && source.data.folder !== undefined) {
    const from = source.data.folder;
    const inputs = {
      format,
      content: await treeDigest(from),
      lower: dataset.do_lower_case ?? false,
      redo: redoOf(run, 'convert'),
    };
    const made = await stageOutput('convert', inputs, async ({ folder }) => {
      const imported = await importDataset({
        name: format,
        source: from,
        target: folder,
        doLowerCase: dataset.do_lower_case ?? false,
      });
      const { train, dev, test, labels } = imported;
      return Object.fromEntries(
        await Promise.all(
          Object.entries({ train, validation: dev, test, labels })
            .filter((entry): entry is [string, string] => entry[1] !== undefined)
            .map(async ([split, path]) => [split, await fileRef(path)] as const),
        ),
      );
    });
    reused = made.reused;
    for (const warning of made.warnings) damage.push(warning);
    files = Object.fromEntries(Object.entries(made.output).map(([split, ref]) => [split, ref.path]));
    // A file that the configuration names takes precedence over the converted one.
    files = {
      ...files,
      ...withoutUndefined({ train: source.data.train, validation: source.data.validation, test: source.data.test }),
    };
  }
  if (files.train === undefined)
    throw new DataError(`${source.data.folder ?? 'the data'} has no training file`, {
      hint: 'set model.train_ds.file_path',
    });

  const namesFile = source.data.tables === undefined ? class_labels.class_labels_file : null;
  const given = { ...files, train: files.train, labels: namesFile ?? files.labels };
  const hasValidation = (source.data.tables ?? given).validation !== undefined;
  const division = source.data.tables === undefined ? tsvDivision(config, given) : undefined;
  const checked = await checkLabels(given, isSampled(division) ? withoutSamples(config.model) : config.model, {
    relabel,
    comparesTexts: source.data.tables === undefined,
  });
  const { numClasses, names, oldLabels, testUnlabelled, notes } = checked;
  const { labels, ...complete } = testUnlabelled ? { ...given, test: undefined } : given;
  const divided = division && (await dividedTsv(run, complete, division));
  const splits = divided ? { ...complete, ...pathsOf(divided.output.files) } : complete;
  const examples = divided?.output.sizes ?? checked.examples;
  requireBatches(config, examples);
  const used =
    oldLabels && names
      ? await relabelled(splits, { oldLabels, names, redo: redoOf(run, 'convert') })
      : { output: await refsOf({ ...splits, labels }), reused, warnings: [] };
  // Checkpoints have no class names, and find them beside the run's hparams.yaml.
  const loggedNames = join(run.logDir, 'label_ids.tsv');
  if (names) await writeFileAtomic(loggedNames, linesOf(names));
  else await rm(loggedNames, { force: true });
  const refs = used.output;
  const sizes = Object.entries(examples)
    .map(([split, count]) => `${count} ${split}`)
    .join(', ');
  const counted = dataset.num_classes === null;
  await saveConfig(run, { numClasses, numClassesCounted: counted }, echo);
  return {
    ...refs,
    ...(pairs ? { pairs } : {}),
    numClasses,
    numClassesCounted: counted,
    examples,
    digest: sha256Of(JSON.stringify(Object.entries(refs).map(([split, ref]) => [split, ref.sha256]))),
    reused: used.reused,
    detail: `${sizes} examples; ${numClasses} classes${counted ? ' (counted from the training labels)' : ''}`,
    notes: [
      ...tableNotes,
      ...notes,
      ...(divided?.output.notes ?? []),
      ...(isConverted(format) ? [] : divisionWithoutEffect(config, { hasValidation, examples })),
      ...settingsWithoutEffect(config, examples),
      ...damage,
      ...used.warnings,
    ],
  };
}

type Format = Config['nautil']['data']['format'];

/** Whether the format is the layout of a data set that has a converter of its own. */
const isConverted = (format: Format): format is Exclude<Format, 'auto' | 'nemo' | 'table'> =>
  !['auto', 'nemo', 'table'].includes(format);

const isSampled = (division: ReturnType<typeof tsvDivision>): boolean =>
  Object.values<number>(division?.samples ?? {}).some((count) => count > 0);

/** A random sample may have any label of a file, so all of them are checked. */
function withoutSamples({ train_ds, validation_ds, test_ds, ...model }: Config['model']): Config['model'] {
  const all = { num_samples: -1 };
  return {
    ...model,
    train_ds: { ...train_ds, ...all },
    validation_ds: { ...validation_ds, ...all },
    test_ds: { ...test_ds, ...all },
  };
}

const pathsOf = (refs: Partial<Record<Split, FileRef>>): Partial<Record<Split, string>> =>
  Object.fromEntries(Object.entries(refs).map(([split, { path }]) => [split, path]));

/** Saves the configuration that runs, and logs it the first time if its number of classes had to be counted. */
async function saveConfig(
  run: ResolvedRun,
  counted: Pick<LabelledData, 'numClasses' | 'numClassesCounted'>,
  echo: Echo | undefined,
): Promise<void> {
  const { tree, config } = await countedConfigOf(run, counted);
  const file = savedConfigFile(run);
  if (counted.numClassesCounted && !existsSync(file)) await logCountedConfig(run, { tree, config, echo });
  await writeFileAtomic(file, printConfig(tree, run.fromEnvironment));
}

type Refs = { train: FileRef } & Partial<Record<'validation' | 'test' | 'labels', FileRef>>;

async function refsOf({ train, ...others }: LabelledFiles): Promise<Refs> {
  const refs: Refs = { train: await fileRef(train) };
  for (const split of ['validation', 'test', 'labels'] as const) {
    const path = others[split];
    if (path !== undefined) refs[split] = await fileRef(path);
  }
  return refs;
}

/** Copies the files of `nautil.data.relabel=true` with labels from 0, and writes the names of the classes. */
async function relabelled(
  files: Omit<LabelledFiles, 'labels'>,
  o: { oldLabels: readonly number[]; names: readonly string[]; redo: string | undefined },
): Promise<{ output: Refs; reused: boolean; warnings: string[] }> {
  const sources = await refsOf(files);
  const inputs = {
    relabel: o.oldLabels,
    names: o.names,
    ...Object.fromEntries(Object.entries(sources).map(([split, { sha256 }]) => [split, sha256])),
    redo: o.redo,
  };
  const newLabels = new Map(o.oldLabels.map((label, id) => [label, id]));
  return stageOutput('convert', inputs, async ({ folder }) => {
    const written = { ...files, labels: join(folder, 'label_ids.tsv') };
    for (const split of ['train', 'validation', 'test'] as const) {
      const path = files[split];
      if (path === undefined) continue;
      written[split] = join(folder, `${split}.tsv`);
      await relabelTsv(path, written[split], newLabels);
    }
    await writeFileAtomic(written.labels, linesOf(o.names));
    return refsOf(written);
  });
}

const linesOf = (names: readonly string[]): string => names.map((name) => `${name}\n`).join('');

const withoutUndefined = <T extends object>(object: T): Partial<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
