import type { Command } from 'commander';
import { counted, UsageError } from '@nautil/contracts';
import type { ImportedDataset } from '@nautil/datasets';
import { examples } from '../help.js';
import { printJson, printResult } from '../output.js';

/** The names are those of NeMo's import_datasets.py. */
interface ImportOptions {
  dataset_name: string;
  source_data_dir: string;
  target_data_dir: string;
  do_lower_case?: true;
  nemo_compatible?: true;
  json?: true;
}

export function addImport(program: Command): void {
  program
    .command('import')
    .summary('convert a well-known dataset to NeMo’s TSV')
    .description(
      'Converts a dataset’s original files to NeMo’s format: one example per line, the text, a tab, and the label as a whole number. ' +
        'The first four options are those of NeMo’s import_datasets.py.',
    )
    .requiredOption('--dataset_name <name>', 'sst-2, chemprot, imdb or thucnews')
    .requiredOption('--source_data_dir <folder>', 'the folder of the original files')
    .requiredOption(
      '--target_data_dir <folder>',
      'the folder for train.tsv, dev.tsv and test.tsv (those that the dataset has) and the class names',
    )
    .option('--do_lower_case', 'convert the texts to lower case')
    .option('--nemo_compatible', 'write the same bytes as NeMo’s import_datasets.py, including its defects')
    .option('--json', 'print a summary of the written files as JSON')
    .addHelpText(
      'after',
      `${examples('import --dataset_name sst-2 --source_data_dir samples/sst-2 --target_data_dir tmp/sst-2')}

In a checkout, \`npx nx run datasets:import -- …\` does the same.`,
    )
    .action(importFiles);
}

async function importFiles(options: ImportOptions): Promise<void> {
  const { datasetNames, importDataset } = await import('@nautil/datasets');
  const name = datasetNames.find((known) => known === options.dataset_name);
  if (name === undefined) {
    throw new UsageError(
      `--dataset_name ${options.dataset_name} is unknown; known datasets: ${datasetNames.join(', ')}`,
      {
        hint: '`npx nautil import --help` lists the options',
      },
    );
  }
  const imported = await importDataset({
    name,
    source: options.source_data_dir,
    target: options.target_data_dir,
    doLowerCase: options.do_lower_case ?? false,
    nemoCompatible: options.nemo_compatible ?? false,
  });
  await (options.json ? printJson(imported) : printResult(formatImported(imported)));
}

function formatImported({ train, dev, test, labels, counts, notes }: ImportedDataset): string {
  const lines = [
    { path: train, count: counts.train },
    { path: dev, count: counts.dev },
    { path: test, count: counts.test },
  ].flatMap(({ path, count }) => {
    if (path === undefined || count === undefined) return [];
    const byLabel = Object.entries(count.labels).map(([label, rows]) => `${label}: ${rows}`);
    return [`${path}  ${counted(count.rows, 'row')} (${byLabel.join(', ')})`];
  });
  if (labels !== undefined) lines.push(`${labels}  class names`);
  return [...lines, ...notes.map((note) => `note: ${note}`)].join('\n');
}
