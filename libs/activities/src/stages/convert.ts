import type { LabelledData, ResolvedRun, Source, StageResult } from '@nautil/contracts';
import {
  DataError,
  importDataset,
  type LabelCounts,
  labelCounts,
  readExamples,
  readLabelNames,
  requireTrainable,
} from '@nautil/datasets';
import { fileRef, sha256Of, stageOutput } from '@nautil/store';
import { requireBatches } from './require-batches.js';
import { configOf, redoOf } from './run-settings.js';
import { treeDigest } from './tree-digest.js';

type Split = 'train' | 'validation' | 'test';

/** Converts the run's data to NeMo's TSV files, unless it has that format already, and validates them. */
export async function convert({
  run,
  source,
}: {
  run: ResolvedRun;
  source: Source;
}): Promise<StageResult<LabelledData>> {
  const { config } = await configOf(run);
  const { dataset, class_labels, train_ds, validation_ds, test_ds } = config.model;
  const { format } = config.nautil.data;
  let files: Partial<Record<Split | 'labels', string | undefined>> = source.data;
  let reused = false;
  const notes: string[] = [];
  if (format !== 'nemo' && source.data.folder !== undefined) {
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

  const trainFile = files.train;
  const numSamples = {
    train: train_ds.num_samples,
    validation: validation_ds.num_samples,
    test: test_ds.num_samples,
  };
  const train = await countsOf(trainFile, numSamples.train, dataset.num_classes);
  const numClasses = dataset.num_classes ?? train.numClasses;
  requireTrainable(trainFile, train.firstLines, dataset.num_classes ?? undefined);
  if (files.test !== undefined && (await isUnlabelled(files.test))) {
    notes.push(`${files.test} has no labels (each is -1), so the model is not tested on it`);
    files = { ...files, test: undefined };
  }
  const validation =
    files.validation === undefined ? undefined : await countsOf(files.validation, numSamples.validation, numClasses);
  const test = files.test === undefined ? undefined : await countsOf(files.test, numSamples.test, numClasses);
  for (const [file, counted] of [
    [files.train, train],
    [files.validation, validation],
    [files.test, test],
  ] as const) {
    if (counted && counted.skipped > 0) notes.push(skippedNote(String(file), counted));
  }

  const labels = class_labels.class_labels_file ?? files.labels;
  if (labels !== undefined) await readLabelNames(labels, numClasses);
  const refs = {
    train: await fileRef(trainFile),
    ...(files.validation === undefined ? {} : { validation: await fileRef(files.validation) }),
    ...(files.test === undefined ? {} : { test: await fileRef(files.test) }),
    ...(labels === undefined ? {} : { labels: await fileRef(labels) }),
  };
  const examples = {
    train: train.examples,
    ...(validation ? { validation: validation.examples } : {}),
    ...(test ? { test: test.examples } : {}),
  };
  requireBatches(config, examples);
  const sizes = Object.entries(examples)
    .map(([split, count]) => `${count} ${split}`)
    .join(', ');
  const counted = dataset.num_classes === null;
  return {
    ...refs,
    numClasses,
    numClassesCounted: counted,
    examples,
    digest: sha256Of(JSON.stringify(Object.entries(refs).map(([split, ref]) => [split, ref.sha256]))),
    reused,
    detail: [
      `${sizes} examples`,
      `${numClasses} classes${counted ? ' (counted from the training labels)' : ''}`,
      ...notes,
    ].join('; '),
  };
}

/** Counts the labels, and rejects a file without examples or with a label out of range. */
const countsOf = (path: string, numSamples: number, numClasses: number | null): Promise<LabelCounts> =>
  labelCounts(path, { numSamples, ...(numClasses === null ? {} : { numClasses }) });

/** Whether every label is -1, which stands for "unknown" in GLUE's test files. */
async function isUnlabelled(path: string): Promise<boolean> {
  for await (const line of readExamples(path)) if ('label' in line && line.label !== -1) return false;
  return true;
}

function skippedNote(file: string, { skipped, skippedLines }: LabelCounts): string {
  const reasons = skippedLines.map(({ line, reason }) => `line ${line}: ${reason}`).join(', ');
  const more = skipped > skippedLines.length ? ` and ${skipped - skippedLines.length} more` : '';
  return `${skipped} ${skipped === 1 ? 'line' : 'lines'} skipped in ${file} (${reasons}${more})`;
}

const withoutUndefined = <T extends object>(object: T): Partial<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
