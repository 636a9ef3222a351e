import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Config } from '@nautil/config';
import type { Source } from '@nautil/contracts';
import { DataError, findNemoFiles, isNemoFileName } from '@nautil/datasets';
import { refuseDocument, tablesBySplit } from '@nautil/datasets/tables';
import { knownSha256 } from '@nautil/store';
import {
  cachedSnapshot,
  ChecksumMismatch,
  fetchFromHub,
  HubRefused,
  type HubRepository,
  hubRepositoryFolder,
  HubUnavailable,
  isArchive,
  isHttp,
  isHubName,
  NotDownloaded,
} from '@nautil/store/download';
import { SourceNotFound } from '../errors.js';
import { allReused, amount, type DownloadingRun, type Fetched, fetchedFile, unpackedFolder } from './fetch.js';
import { isTable, tablesIn, tablesOf } from './find-tables.js';
import type { DownloadControl } from './stage-control.js';

type Format = Config['nautil']['data']['format'];
type DataConfig = Pick<Config['nautil']['data'], 'format' | 'subset'>;

/**
 * Provides the data of a run on this disk: the files that the configuration names, and `nautil.data.source`. A source is a
 * name on the hub only if nothing exists at that path.
 *
 * @throws SourceNotFound; DataError if the source is not a data set; the errors of downloading and unpacking
 */
export async function findData(
  { model, nautil }: Config,
  run: DownloadingRun,
  control: DownloadControl,
): Promise<Fetched<Source['data']>> {
  const { format, source, sha256, subset } = nautil.data;
  let reused: boolean | undefined;
  const local = async (path: string | null): Promise<string | undefined> => {
    if (path === null || !isHttp(path)) return path ?? undefined;
    const file = await fetchedFile(path, { ...control, run });
    reused = allReused(reused, file.reused);
    return file.made.path;
  };
  const named: Source['data'] = withoutUndefined({
    train: await local(model.train_ds.file_path),
    validation: await local(model.validation_ds.file_path),
    test: await local(model.test_ds.file_path),
  });
  if (source === null) return { made: await withTables(named, nautil.data), reused };

  const found = await sourceOnDisk(source, { ...control, run, format, subset, sha256: sha256 ?? undefined });
  reused = allReused(reused, found.reused);
  const isFolder = (await stat(found.made)).isDirectory();
  if (format !== 'nemo' && format !== 'auto' && format !== 'table') {
    if (isFolder) return { made: { folder: found.made, ...named }, reused };
    throw new DataError(
      `nautil.data.source: ${source} is a single file, and ${format} comes as a folder or an archive`,
      {
        hint: `for a file in NeMo's format leave data=${format} out and set model.train_ds.file_path`,
      },
    );
  }
  if (!isFolder && subset !== null) {
    throw new DataError(`nautil.data.subset names a folder in the source, and ${source} is a single file`, {
      hint: 'set nautil.data.subset=null',
    });
  }
  if (!isFolder && named.train !== undefined) {
    throw new DataError(`nautil.data.source: ${source} is a single file, and model.train_ds.file_path names another`, {
      hint: 'a single file is the training data: set one of the two keys to null',
    });
  }
  const files = isFolder ? await findNemoFiles(found.made) : { train: found.made };
  const tables = isFolder ? await tablesIn(found.made, nautil.data, files) : undefined;
  if (tables) {
    const splits = Object.fromEntries(Object.entries(named).map(([split, path]) => [split, [path]]));
    return { made: { ...withoutUndefined({ labels: files.labels }), tables: { ...tables, ...splits } }, reused };
  }
  if (files.train === undefined && named.train === undefined) {
    throw new DataError(`nautil.data.source: ${source} has no training data`, {
      hint: [
        `found: ${await listing(found.made)}`,
        ...(format === 'nemo'
          ? []
          : [
              'tables are taken by the names of their splits: train.csv, data/train-0.parquet, validation.jsonl, test.tsv',
            ]),
        "of NeMo's format, train.tsv, dev.tsv or validation.tsv, test.tsv and label_ids.tsv are taken, at the top or in a folder inside",
        'a data set in its own layout is named with it: data=sst-2, chemprot, imdb or thucnews',
      ].join('\n'),
    });
  }
  return { made: await withTables({ ...files, ...named }, nautil.data), reused };
}

/** The files of a run as tables, unless all of them have NeMo's format. */
async function withTables(files: Source['data'], data: Config['nautil']['data']): Promise<Source['data']> {
  const { train, validation, test, labels } = files;
  if (train === undefined || !(await isTable(train, data))) return files;
  return { ...withoutUndefined({ labels }), tables: tablesOf({ train, validation, test }) };
}

interface SourceOptions extends DownloadControl, DataConfig {
  run: DownloadingRun;
  sha256: string | undefined;
}

/** Provides the source as a file or a folder; archives are unpacked. */
async function sourceOnDisk(source: string, o: SourceOptions): Promise<Fetched<string>> {
  if (isHttp(source)) {
    const file = await fetchedFile(source, o);
    return unpackedIfArchive(file.made.path, file.reused, o);
  }
  const there = await stat(source).catch(() => undefined);
  if (there === undefined) {
    if (isHubName(source)) return fromHub(source, o);
    throw new SourceNotFound(`nautil.data.source: ${source} does not exist`, {
      hint: 'name a folder, a file, an archive, an http(s) address, or a data set of the Hugging Face hub (owner/name)',
    });
  }
  if (there.isDirectory()) {
    if (o.sha256 === undefined) return { made: source, reused: undefined };
    throw new DataError(`nautil.data.sha256 is the digest of a file, and ${source} is a folder`, {
      hint: 'set nautil.data.sha256=null',
    });
  }
  if (o.sha256 !== undefined) {
    const found = await knownSha256(source);
    if (found !== o.sha256)
      throw new ChecksumMismatch(`${source}: its SHA-256 is ${found}, and ${o.sha256} was expected`);
  }
  return unpackedIfArchive(source, undefined, o);
}

async function unpackedIfArchive(
  file: string,
  reused: boolean | undefined,
  control: DownloadControl,
): Promise<Fetched<string>> {
  if (!(await isArchive(file))) return { made: file, reused };
  await refuseDocument(file);
  const folder = await unpackedFolder(file, control);
  return { made: folder.made, reused: allReused(reused, folder.reused) };
}

/** The files of a repository that belong to the data set, by format. */
const layouts: Record<Exclude<Format, 'auto' | 'table'>, (path: string) => boolean> = {
  nemo: (path) => isNemoFileName(basename(path)),
  'sst-2': (path) => /(?:^|\/)(?:train|dev|test)\.tsv$/.test(path),
  chemprot: (path) => /(?:^|\/)(?:training|develop|test)Posit_chem$/.test(path),
  imdb: (path) => /(?:^|\/)(?:train|test)\/(?:neg|pos)\/[^/]+\.txt$/.test(path),
  thucnews: (path) => /[^/]+\/[^/]+\.txt$/.test(path),
};

/**
 * The files of a data set on the hub that are in the format's layout: of several data sets in one repository, those of one.
 *
 * @throws DataError if it is not clear which tables belong to the data set
 */
function filesInLayout(name: string, { format, subset }: DataConfig, paths: readonly string[]): string[] {
  if (format !== 'auto' && format !== 'table') return paths.filter(layouts[format]);
  const within = subset === null ? paths : paths.filter((path) => path.startsWith(`${subset}/`));
  const isNemo = format === 'auto' && within.some((path) => basename(path) === 'train.tsv');
  const tables = isNemo ? undefined : tablesBySplit(within, `${name} on the hub`);
  const chosen = new Set(Object.values(tables ?? {}).flat());
  return within.filter((path) => chosen.has(path) || isNemoFileName(basename(path)));
}

const layoutNames: Partial<Record<Format, string>> = {
  auto: 'tables and no TSV files of NeMo',
  nemo: 'TSV files of NeMo',
  table: 'tables',
};

async function fromHub(name: string, o: SourceOptions): Promise<Fetched<string>> {
  const repository: HubRepository = { type: 'dataset', name };
  const { signal, onProgress } = o;
  if (o.sha256 !== undefined) {
    throw new DataError(`nautil.data.sha256 is the digest of a file, and ${name} is a data set of the hub`, {
      hint: 'set nautil.data.sha256=null: the hub lists the hash of each file, and each is compared',
    });
  }
  if (o.cachedOnly === true) {
    const cached = await cachedSnapshot(hubRepositoryFolder(repository));
    if (cached === undefined)
      throw new NotDownloaded(`the data set ${name}`, {
        repository: { type: 'dataset', name },
        key: 'nautil.data.source',
      });
    return fromSnapshot(cached, name, o);
  }
  try {
    let chosen: readonly string[] = [];
    const { folder, fetchedBytes } = await fetchFromHub({
      repository,
      choose: (paths) => (chosen = chooseDataFiles(name, o, paths)),
      signal,
      onProgress: (done, total) => onProgress?.(`${name}: ${amount(done, total)}`),
    });
    return await unpackedIfOnlyArchive(folder, chosen, fetchedBytes === 0, o);
  } catch (error) {
    if (!(error instanceof HubUnavailable || error instanceof HubRefused)) throw error;
    const place = hubRepositoryFolder(repository);
    const cached = error instanceof HubUnavailable ? await cachedSnapshot(place) : undefined;
    if (cached === undefined) {
      if (error.retryable) throw error;
      throw new SourceNotFound(`nautil.data.source: ${name} is not on this machine, and ${error.message}`, {
        hint: [`looked for ${resolve(name)}, ${place}`, error.hint].join('\n'),
        cause: error,
      });
    }
    return fromSnapshot(cached, name, o);
  }
}

/** The data set in a snapshot of the hub's cache. */
async function fromSnapshot(folder: string, name: string, o: SourceOptions): Promise<Fetched<string>> {
  const paths = (await readdir(folder, { recursive: true })).sort();
  return unpackedIfOnlyArchive(folder, chooseDataFiles(name, o, paths), true, o);
}

/** The files in the format's layout, or else the only archive. */
function chooseDataFiles(name: string, { format, subset }: DataConfig, paths: readonly string[]): readonly string[] {
  const inLayout = filesInLayout(name, { format, subset }, paths);
  if (inLayout.length > 0) return inLayout;
  const archives = paths.filter((path) => /\.(?:tar|tgz|gz|zip)$/i.test(path));
  if (archives.length === 1) return archives;
  const others = archives.length > 1 ? archives : paths;
  throw new DataError(`${name} on the hub has no ${layoutNames[format] ?? `files in the layout of ${format}`}`, {
    hint: [
      `found: ${others.slice(0, 10).join(', ')}${others.length > 10 ? ` and ${others.length - 10} more` : ''}`,
      archives.length > 1
        ? 'give the http address of one of them as nautil.data.source'
        : 'download the data, write it as a table (CSV, JSON Lines, Parquet), and name its folder',
    ].join('\n'),
  });
}

async function unpackedIfOnlyArchive(
  folder: string,
  chosen: readonly string[],
  reused: boolean,
  control: DownloadControl,
): Promise<Fetched<string>> {
  const [only] = chosen;
  if (only === undefined || chosen.length > 1) return { made: folder, reused };
  const file = join(folder, only);
  return (await isArchive(file)) ? unpackedIfArchive(file, reused, control) : { made: folder, reused };
}

async function listing(folder: string): Promise<string> {
  if (!existsSync(folder)) return 'nothing';
  const names = (await readdir(folder)).sort();
  return `${names.slice(0, 10).join(', ')}${names.length > 10 ? ` and ${names.length - 10} more` : ''}` || 'nothing';
}

const withoutUndefined = <T extends object>(object: T): Partial<T> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>;
