import { parseArgs } from 'node:util';
import { exitCodeOf, formatError, UsageError } from '@nautil/contracts';
import { type DatasetName, datasetNames, importDataset, type ImportedDataset } from '../import/import-dataset.js';

const usage = `Converts a dataset's original files to NeMo's format: one example per line, text, tab, label (a whole number).

  nx run datasets:import -- --dataset_name NAME --source_data_dir FOLDER --target_data_dir FOLDER

  --dataset_name NAME       ${datasetNames.join(', ')}
  --source_data_dir FOLDER  the original files
  --target_data_dir FOLDER  output: train.tsv, dev.tsv and test.tsv (those that exist) and the class names
  --do_lower_case           lower-cases the texts
  --nemo_compatible         reproduces NeMo's import_datasets.py byte for byte, including its defects
  --json                    prints a summary of the written files as JSON
  --help

Example:
  nx run datasets:import -- --dataset_name sst-2 --source_data_dir samples/sst-2 --target_data_dir tmp/sst-2`;

const hint = '--help lists the options';

async function run(args: string[]): Promise<void> {
  const { values } = parse(args);
  if (values.help) {
    process.stdout.write(`${usage}\n`);
    return;
  }
  const { dataset_name: name, source_data_dir: source, target_data_dir: target } = values;
  if (!isDatasetName(name)) {
    throw new UsageError(
      `--dataset_name ${name === undefined ? 'is missing' : `${name} is unknown`}; known datasets: ${datasetNames.join(', ')}`,
      { hint },
    );
  }
  if (source === undefined)
    throw new UsageError('--source_data_dir is missing: the folder of the original files', { hint });
  if (target === undefined) throw new UsageError('--target_data_dir is missing: the folder to write to', { hint });
  const imported = await importDataset({
    name,
    source,
    target,
    doLowerCase: values.do_lower_case ?? false,
    nemoCompatible: values.nemo_compatible ?? false,
  });
  process.stdout.write(`${values.json ? JSON.stringify(imported, null, 2) : describe(imported)}\n`);
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        dataset_name: { type: 'string' },
        source_data_dir: { type: 'string' },
        target_data_dir: { type: 'string' },
        do_lower_case: { type: 'boolean' },
        nemo_compatible: { type: 'boolean' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { hint });
  }
}

function isDatasetName(name: string | undefined): name is DatasetName {
  return datasetNames.some((known) => known === name);
}

function describe({ train, dev, test, labels, counts, notes }: ImportedDataset): string {
  const lines = [
    { path: train, count: counts.train },
    { path: dev, count: counts.dev },
    { path: test, count: counts.test },
  ].flatMap(({ path, count }) => {
    if (path === undefined || count === undefined) return [];
    const byLabel = Object.entries(count.labels).map(([label, rows]) => `${label}: ${rows}`);
    return [`${path}  ${count.rows} rows (${byLabel.join(', ')})`];
  });
  if (labels !== undefined) lines.push(`${labels}  class names`);
  return [...lines, ...notes.map((note) => `note: ${note}`)].join('\n');
}

run(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${formatError(error, process.env.DEBUG === '1')}\n`);
  process.exitCode = exitCodeOf(error);
});
