import { join, resolve } from 'node:path';

/** The checkout that the benchmark stands in. */
export const root = resolve(import.meta.dirname, '../../..');

/** The folder that the set-up installs into. */
export const stateFolder = resolve(process.env['NAUTIL_HOME'] ?? join(root, '.nautil'));

/** The pretrained model of most rows. */
export const miniLm = join(stateFolder, 'models', 'all-MiniLM-L6-v2');

/** The sizes of bert-base-uncased, for random weights. */
export const bertBaseConfig = join(root, 'tools', 'benchmark', 'peers', 'bert-base-config.json');

/** The sizes of an encoder of another family, for random weights. */
export const familyConfig = (model: string): string =>
  join(root, 'tools', 'benchmark', 'peers', 'families', `${model}.json`);

/** What the benchmark keeps between its runs: the peers' environment and prepared models. */
export const benchmarkFolder = join(stateFolder, 'benchmark');

export const sst2 = join(root, 'samples', 'sst-2');
