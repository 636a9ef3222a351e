import { randomUUID } from 'node:crypto';
import { rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Config, ConfigError, experimentName, keysThat } from '@nautil/config';
import {
  escapeControls,
  fileProblem,
  isJsonObject,
  isUnsupportedTokenizer,
  type JsonObject,
  type LabelledData,
  NautilError,
  valueAt,
} from '@nautil/contracts';
import { FileUnavailable } from '@nautil/formats';
import { fetchEncoder, findEncoder } from '@nautil/formats/encoder';
import { encoderLayout } from '@nautil/model';
import { isHttp, isHubName } from '@nautil/store/download';
import { openFile } from '@nautil/store/streams';
import type { RequireOutput } from './output-roots.js';
import { requireReplaceable } from './require-replaceable.js';
import { checkLabels, type LabelledFiles } from './stages/check-labels.js';
import { encoderNameOf, tokenizerNameOf, vocabularyFileOf } from './stages/encoder-files.js';
import { readEncoderLimits, requireEmbeddings, truncationLength } from './stages/encoder-limits.js';
import { isTable, tablesOf } from './stages/find-tables.js';
import { checkTables, dividedTsvSizes, tsvDivision } from './stages/import-tables.js';
import { requireBatches } from './stages/require-batches.js';
import { requireTrainingData } from './stages/require-training-data.js';
import { sharedTokenizer } from './stages/shared-tokenizer.js';

const inputKeys = keysThat(({ path }) => path === 'input');

/** Keys of files or folders that a run writes; those of files need a folder, and must not be one. */
const outputFiles = ['model.nemo_path'];
const outputFolders = keysThat(({ path }) => path === 'output').filter((key) => !outputFiles.includes(key));

/** Where the log folders are unless the configuration names a place; see `createLogDir`. */
export const defaultLogs = 'nemo_experiments';

/** Keys whose values become parts of the names of files and folders. */
const fileNameKeys = ['exp_manager.name', 'exp_manager.version', 'exp_manager.checkpoint_callback_params.postfix'];

/** Leaves room in a name of 255 bytes for what is appended to it. */
const longestFileName = 128;

/** A checkpoint may also be a folder. */
const foldersToo = ['model.language_model.lm_checkpoint'];

/**
 * Checks what can be known of a run before it starts: its files can be read and written, its labels fit its classes, and its
 * encoder fits its tokenizer and its length. Downloads nothing: what a URL or a name on the hub stands for is checked by the
 * stage that downloads it.
 *
 * @param config - with absolute paths
 * @param o.cwd - the folder of the outputs that the configuration leaves open
 * @param o.requireOutput - rejects outputs in places where the run may not write. Nothing is tried out there. Default: none is.
 * @throws the problem if there is one, otherwise a ConfigError with all of them
 */
export async function checkRun(
  config: Config,
  { cwd, requireOutput }: { cwd: string; requireOutput?: RequireOutput | undefined },
): Promise<void> {
  if (requireOutput !== undefined) await requireOutputs(config, { cwd, requireOutput });
  const tree = config as unknown as JsonObject;
  const pathAt = (key: string): string | undefined => {
    const value = valueAt(tree, key);
    return typeof value === 'string' && value !== '' && !isHttp(value) ? value : undefined;
  };
  const files = [
    ...inputKeys.map((key) => [key, pathAt(key), requireReadable] as const),
    ...outputFiles.map((key) => [key, pathAt(key), requireWritableFile] as const),
    ...outputFolders.map((key) => [key, pathAt(key), requireWritableFolder] as const),
    ...fileNameKeys.map((key) => [key, pathAt(key), requireFileName] as const),
    ...outputFiles.map((key) => [key, pathAt(key), requirePrintableName] as const),
  ].filter((entry): entry is [string, string, (typeof entry)[2]] => entry[1] !== undefined);
  const failures = await failuresOf([
    () => {
      requireTrainingData(config);
    },
    ...namesUsed(config).map(
      ([key, name]) =>
        () =>
          requireName(key, name),
    ),
    ...files.map(
      ([key, path, require]) =>
        () =>
          require(key, path),
    ),
  ]);
  // A file that can't be opened would fail these, too.
  if (failures.length === 0) {
    for (const failure of await failuresOf([() => checkEncoder(config), () => checkData(config)]))
      failures.push(failure);
  }
  const [first] = failures;
  if (first === undefined) return;
  if (failures.length === 1) throw first;
  throw new ConfigError(
    failures.map(({ kind, message, hint }) => ({ message, hint: hint?.split('\n'), inData: kind === 'data' })),
  );
}

/** Checks every place that the run writes to outside its own folder. */
async function requireOutputs(
  config: Config,
  { cwd, requireOutput }: { cwd: string; requireOutput: RequireOutput },
): Promise<void> {
  const tree = config as unknown as JsonObject;
  for (const key of [...outputFiles, ...outputFolders]) {
    const value = valueAt(tree, key);
    if (typeof value === 'string' && value !== '') await requireOutput(key, value);
  }
  // A link below a named folder may lead out of it, and a folder of another run is replaced by a sibling (`createLogDir`).
  const { exp_dir, explicit_log_dir, version } = config.exp_manager;
  const isExplicit = explicit_log_dir !== null && explicit_log_dir !== '';
  const runs = resolve(cwd, exp_dir ?? defaultLogs, experimentName(config.exp_manager));
  const folder = isExplicit ? resolve(cwd, explicit_log_dir) : join(runs, String(version ?? ''));
  for (const place of [folder, join(folder, 'checkpoints'), `${folder}_1`])
    await requireOutput(`exp_manager.${isExplicit ? 'explicit_log_dir' : 'exp_dir'}`, place);
}

/** The expected errors of the checks. Throws any other error. */
async function failuresOf(checks: readonly (() => Promise<void> | void)[]): Promise<NautilError[]> {
  const failures: NautilError[] = [];
  for (const check of checks) {
    try {
      await check();
    } catch (error) {
      if (!(error instanceof NautilError)) throw error;
      failures.push(error);
    }
  }
  return failures;
}

function problemWith(key: string, message: string, hint: string): ConfigError {
  return new ConfigError([{ key, message: `${key}: ${message}`, hint: [hint] }]);
}

function missing(key: string, message: string, hint: string): ConfigError {
  return new ConfigError([{ key, message: `${key}: ${message}`, hint: [hint], inData: true }]);
}

/** A line feed or a tab isn't escaped in texts, but a name with one breaks the lists that it is written to. */
const hasControls = (name: string): boolean => /[\n\t]/.test(name) || escapeControls(name) !== name;

function requirePrintableName(key: string, path: string): void {
  const name = basename(path);
  if (!hasControls(name)) return;
  throw problemWith(
    key,
    `${JSON.stringify(name)} can't be the name of a file`,
    'write a name without control characters',
  );
}

function requireFileName(key: string, value: string): void {
  const isName = !value.includes('/') && !hasControls(value) && value !== '.' && value !== '..';
  if (isName && Buffer.byteLength(value) <= longestFileName) return;
  const hint = `write a name without / and control characters, of at most ${longestFileName} bytes`;
  throw problemWith(key, `${JSON.stringify(value)} can't be part of the name of a file`, hint);
}

/** The values that name a model or a data set, by their keys, unless another key takes their place. */
function namesUsed({ model, nautil }: Config): [key: string, name: string][] {
  const { pretrained_model_name, config_file, config } = model.language_model;
  const { tokenizer_name } = model.tokenizer;
  const { source } = nautil.data;
  const definesModel = config_file !== null || isJsonObject(config);
  const names: [key: string, name: string | null][] = [
    ['model.language_model.pretrained_model_name', definesModel ? null : pretrained_model_name],
    [
      'model.tokenizer.tokenizer_name',
      vocabularyFileOf(model) !== null || tokenizer_name === pretrained_model_name ? null : tokenizer_name,
    ],
    ['nautil.data.source', source !== null && isHttp(source) ? null : source],
  ];
  return names.filter((entry): entry is [string, string] => entry[1] !== null && entry[1] !== '');
}

/** Checks that a name is on this disk, or at least has the form of a name on the hub. */
async function requireName(key: string, name: string): Promise<void> {
  if (isHubName(name) || isUnsupportedTokenizer(name) || (await statIfThere(key, name)) !== undefined) return;
  throw missing(
    key,
    `${name} does not exist, and can't be a name on the Hugging Face hub`,
    'correct the path; a name on the hub is owner/name or name, of letters, digits, _, and single - and . between them',
  );
}

async function requireReadable(key: string, path: string): Promise<void> {
  try {
    const file = await openFile(path);
    const isFolder = (await file.stat().finally(() => file.close())).isDirectory();
    if (!isFolder || foldersToo.includes(key)) return;
  } catch (error) {
    const problem = fileProblem(error);
    if (problem === undefined) throw error;
    throw missing(key, `${path} ${problem}`, 'correct the path; a relative path starts in the current folder');
  }
  throw problemWith(key, `${path} is a folder`, 'name a file in it');
}

async function requireWritableFile(key: string, path: string): Promise<void> {
  const found = await statIfThere(key, path);
  if (found?.isDirectory() || path.endsWith('/'))
    throw problemWith(key, `${path} is a folder`, 'name the file that the run should write');
  await requireReplaceable(key, path);
  await requireWritableFolder(key, dirname(path));
}

/** The folder, or the nearest one above it that exists and in which it would be created. */
async function requireWritableFolder(key: string, path: string): Promise<void> {
  const found = await statIfThere(key, path);
  if (found === undefined) return requireWritableFolder(key, dirname(path));
  if (!found.isDirectory()) {
    throw problemWith(key, `${path} is a file, and a folder is needed there`, 'name another place');
  }
  // Only a file that is written shows that one can be: some file systems, such as /proc, refuse it in spite of the mode.
  const probe = join(path, `.nautil-${randomUUID()}`);
  try {
    await writeFile(probe, '', { flag: 'wx' });
    await rm(probe);
  } catch (error) {
    const problem = fileProblem(error);
    if (problem === undefined) throw error;
    throw problemWith(key, `nothing can be written in ${path}`, 'name a folder that this user may write to');
  }
}

/** Undefined where nothing is. */
async function statIfThere(key: string, path: string) {
  try {
    return await stat(path);
  } catch (error) {
    const problem = fileProblem(error);
    if (problem === undefined) throw error;
    // A part of the path that is a file is found on the way up.
    if (problem.startsWith('does not exist')) return undefined;
    throw problemWith(key, `${path} ${problem}`, 'name another place');
  }
}

/** Checks the labels of a run whose data is files on this disk. */
async function checkData(config: Config): Promise<void> {
  const { train_ds, validation_ds, test_ds, class_labels } = config.model;
  const { source } = config.nautil.data;
  const train = train_ds.file_path;
  const others = {
    validation: validation_ds.file_path ?? undefined,
    test: test_ds.file_path ?? undefined,
    labels: class_labels.class_labels_file ?? undefined,
  };
  if (source !== null || train === null) return;
  if ([train, ...Object.values(others)].some((path) => path !== undefined && isHttp(path))) return;
  const { validation, test } = others;
  const examples = (await isTable(train, config.nautil.data))
    ? await checkTables(tablesOf({ train, validation, test }), config)
    : await checkTsv({ train, ...others }, config);
  requireBatches(config, examples);
}

/** The number of examples by split that a run has of files in NeMo's format. @throws DataError as `checkLabels` */
async function checkTsv(files: LabelledFiles, config: Config): Promise<LabelledData['examples']> {
  const { relabel } = config.nautil.data;
  const { examples, testUnlabelled } = await checkLabels(files, config.model, { relabel });
  const { train, validation } = files;
  const divided = { train, validation, test: testUnlabelled ? undefined : files.test };
  const division = tsvDivision(config, divided);
  return division ? dividedTsvSizes(divided, division) : examples;
}

async function checkEncoder(config: Config): Promise<void> {
  const { model, nautil } = config;
  const { lm_checkpoint, config_file, config: inline } = model.language_model;
  const { special_tokens } = model.tokenizer;
  const vocabularyFile = vocabularyFileOf(model);
  if ([lm_checkpoint, config_file, vocabularyFile].some((path) => path !== null && isHttp(path))) return;
  const name = encoderNameOf(model);
  const tokenizerName = tokenizerNameOf(model) ?? name;
  const needsModel = config_file === null && !isJsonObject(inline);
  if (needsModel && !(await isOnDisk(name))) return;
  if (vocabularyFile === null && !(await isOnDisk(tokenizerName))) return;
  const { files } = await fetchEncoder({
    name,
    lmCheckpoint: lm_checkpoint ?? undefined,
    configFile: config_file ?? undefined,
    config: inline,
    tokenizerName,
    vocabFile: vocabularyFile ?? undefined,
    layout: encoderLayout,
  });
  const encoder = await readEncoderLimits(files, config);
  truncationLength(config, encoder);
  const tokenizer = await sharedTokenizer({
    folder: files.tokenizerFolder,
    vocabFile: files.vocabFile,
    name: tokenizerName,
    specialTokens: special_tokens,
    doLowerCase: model.dataset.do_lower_case ?? undefined,
    mode: nautil.tokenization.mode,
  });
  requireEmbeddings(tokenizer, encoder, config);
}

/** False for a name on the hub whose model is not on this machine. */
async function isOnDisk(name: string): Promise<boolean> {
  if (name === '') return false;
  return findEncoder(name).then(
    () => true,
    (error: unknown) => {
      if (error instanceof FileUnavailable && isHubName(name)) return false;
      throw error;
    },
  );
}
