import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { findData } from '@nautil/activities';
import { type Config, loadConfig, userPath } from '@nautil/config';
import { DataError } from '@nautil/datasets';
import { isNemoFile, type SurveyOptions } from '@nautil/datasets/tables';
import { isHttp } from '@nautil/store/download';

/** The data that the options of `nautil new` name, as they were typed. */
export interface NamedData {
  /** A file, a folder, an archive, an http address, or a data set on the hub. */
  data: string;
  validation?: string | undefined;
  test?: string | undefined;
  columns: NonNullable<SurveyOptions['columns']>;
}

/** The data of a new configuration, on this disk. */
export interface FoundData {
  /** The files by split; of a folder of class folders, the folder. */
  paths: SurveyOptions['paths'];

  /** Whether the training file has NeMo's format, which is never divided unless the configuration says so. */
  isNemo: boolean;

  /** Whether `data` is a file, which `model.train_ds.file_path` names; otherwise `nautil.data.source` does. */
  isFile: boolean;

  /** Whether `data` is a path. */
  isLocal: boolean;
}

/**
 * Finds the data as a run does, and downloads it if it is not on this disk.
 *
 * @throws what `findData` throws, and DataError for a file that does not exist
 */
export async function findNewData(
  named: NamedData,
  o: { cwd: string; name: string; onProgress: (detail: string) => void },
): Promise<FoundData> {
  const onDisk = userPath(o.cwd, named.data);
  const isLocal = existsSync(onDisk);
  const isFile = isLocal && statSync(onDisk).isFile() && !/\.(?:zip|tar|tgz|tar\.gz)$/i.test(onDisk);
  if (!isLocal && !isHttp(named.data) && fileName.test(named.data)) throw missing('--data', named.data, onDisk);
  const { config } = await loadConfig({ cwd: o.cwd });
  const { model, nautil } = config;
  const at = (option: string, path: string | undefined): string | null => {
    if (path === undefined || isHttp(path)) return path ?? null;
    const place = userPath(o.cwd, path);
    if (existsSync(place)) return place;
    throw missing(option, path, place);
  };
  const source = isLocal ? onDisk : named.data;
  const wanted: Config = {
    ...config,
    model: {
      ...model,
      train_ds: { ...model.train_ds, file_path: isFile ? onDisk : null },
      validation_ds: { ...model.validation_ds, file_path: at('--validation', named.validation) },
      test_ds: { ...model.test_ds, file_path: at('--test', named.test) },
    },
    nautil: {
      ...nautil,
      data: {
        ...nautil.data,
        source: isFile ? null : source,
        text_column: named.columns.text ?? null,
        text_pair_column: named.columns.textPair ?? null,
        label_column: named.columns.label ?? null,
      },
    },
  };
  const { made } = await findData(wanted, { workflowId: o.name, runKey: randomUUID() }, { onProgress: o.onProgress });
  if (made.tables) return { paths: made.tables, isNemo: false, isFile, isLocal };
  const { train = '', validation, test } = made;
  return {
    paths: {
      train: [train],
      ...(validation === undefined ? {} : { validation: [validation] }),
      ...(test === undefined ? {} : { test: [test] }),
    },
    isNemo: await isNemoFile(train),
    isFile,
    isLocal,
  };
}

/** A name that is meant as a file, although a data set on the hub could have it. */
const fileName = /\.(?:csv|tsv|txt|jsonl?|ndjson|parquet|gz|zip|tar|tgz|xlsx?)$/i;

const missing = (option: string, path: string, place: string): DataError =>
  new DataError(`${option}: ${path} does not exist`, { hint: `looked for ${resolve(place)}` });
