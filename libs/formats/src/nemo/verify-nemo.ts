import { stat } from 'node:fs/promises';
import { counted, isJsonObject, type JsonObject, NautilError, valueAt } from '@nautil/contracts';
import { sha256File } from '@nautil/store';
import type { EncoderLayout, EncoderTensors } from '../encoder/encoder.js';
import { parseJsonObject } from '../json.js';
import { limitInNemo } from './nemo-encoders.js';
import { fileDigests, isSealIntact } from './nemo-record.js';
import { type NemoArchive, readNemo, recordMember } from './read-nemo.js';

/** The result of one check: a summary, and the problems. */
interface NemoCheck {
  readonly name: string;
  readonly found: string;
  readonly problems: readonly string[];
}

export interface NemoVerification {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;

  /** In the order of execution. An archive that cannot be opened has only the first. */
  readonly checks: readonly NemoCheck[];

  /** Whether no check found a problem. */
  readonly sound: boolean;
}

/**
 * Checks a whole `.nemo`: it opens, its configuration and its files agree, every weight that the configuration requires is
 * present with the right shape and finite, and every file matches its digest in Nautil's record.
 *
 * @throws FileUnavailable if the file cannot be read; all other problems are part of the result
 */
export async function verifyNemo(path: string, o: NemoChecks): Promise<NemoVerification> {
  const checks: NemoCheck[] = [];
  const archive = await opened(path, checks);
  try {
    if (archive) for (const finished of await checkNemo(archive, o)) checks.push(finished);
  } finally {
    await archive?.close();
  }
  const [{ size: sizeBytes }, sha256] = await Promise.all([stat(path), sha256File(path)]);
  return { path, sizeBytes, sha256, checks, sound: checks.every(({ problems }) => problems.length === 0) };
}

/** What only other libraries know about an archive. */
export interface NemoChecks {
  layout: EncoderLayout;

  /** Throws a NautilError if texts cannot be tokenized for the archive. Returns the name of the tokenizer. */
  tokenizer: (archive: NemoArchive) => Promise<string>;
}

/** The checks of `verifyNemo` on an open archive. Whoever uses a model must run them, too, so that both agree on it. */
export async function checkNemo(archive: NemoArchive, o: NemoChecks): Promise<NemoCheck[]> {
  let layout: EncoderTensors | undefined;
  return [
    await check('artifacts', (problems) => checkArtifacts(archive, problems)),
    await check('encoder', async (problems) => {
      const { config, notes } = await archive.encoderConfig();
      layout = o.layout(config, archive.path);
      const limit = await limitOf(archive, config['model_type']);
      return [checkEncoder(archive, config, layout, problems), ...notes, ...(limit ? [limit] : [])].join('; ');
    }),
    await check('head', (problems) => checkHead(archive, layout, problems)),
    await check('labels', (problems) => checkLabels(archive, problems)),
    await check('vocabulary', (problems) => checkVocabulary(archive, layout, problems)),
    await check('tokenizer', () => o.tokenizer(archive)),
    await check('values', (problems) => checkValues(archive, problems)),
    await check('digests', (problems) => checkDigests(archive, problems)),
  ];
}

async function limitOf(archive: NemoArchive, modelType: unknown): Promise<string | undefined> {
  return limitInNemo({
    modelType,
    tokenizerName: valueAt(archive.config, 'tokenizer.tokenizer_name'),
    hasVocabularyFile: (await archive.artifact('tokenizer.vocab_file')) !== undefined,
  });
}

async function opened(path: string, checks: NemoCheck[]): Promise<NemoArchive | undefined> {
  let archive: NemoArchive | undefined;
  const opening = await check('archive', async () => {
    archive = await readNemo(path);
    const { members, tensors, compressed } = archive;
    const form = compressed ? 'a gzip tar' : 'a tar';
    return `${form} of ${counted(members.length, 'file')}, ${counted(tensors.names().length, 'tensor')}`;
  });
  checks.push(opening);
  return archive;
}

/** Runs a check. A NautilError ends the check and counts as a problem. */
async function check(name: string, run: (problems: string[]) => Promise<string>): Promise<NemoCheck> {
  const problems: string[] = [];
  try {
    return { name, found: await run(problems), problems };
  } catch (error) {
    if (!(error instanceof NautilError) || error.name === 'FileUnavailable') throw error;
    return {
      name,
      found: 'could not be read',
      problems: [...problems, error.message, ...(error.hint === undefined ? [] : [error.hint])],
    };
  }
}

async function checkArtifacts(archive: NemoArchive, problems: string[]): Promise<string> {
  for (const key of archive.artifactNames) {
    const content = await archive.artifact(key);
    if (content?.length === 0) problems.push(`${key} refers to an empty file`);
  }
  return `${archive.artifactNames.join(', ') || 'none'}: all in the archive`;
}

const encoderPrefix = 'bert_model.';

function checkEncoder(
  archive: NemoArchive,
  config: JsonObject,
  { tensors: layout }: EncoderTensors,
  problems: string[],
): string {
  const present = new Set(archive.tensors.names());
  for (const { name, shape, used } of layout) {
    const inArchive = encoderPrefix + name;
    if (present.has(inArchive)) checkFloating(archive, inArchive, shape, problems);
    else if (used) problems.push(`the tensor ${inArchive} is missing`);
  }
  const known = new Set(layout.map(({ name }) => encoderPrefix + name));
  for (const name of present) {
    const spare = name.startsWith(encoderPrefix) && !known.has(name) && !name.endsWith('.position_ids');
    if (spare) problems.push(`the tensor ${name} is not part of the configured encoder`);
  }
  const type = config['model_type'];
  return `${typeof type === 'string' ? type : JSON.stringify(type)}, ${layout.length} tensors`;
}

/** @param layout - undefined if the encoder is not known: then the head's own input size must be that of all its layers */
async function checkHead(
  archive: NemoArchive,
  layout: EncoderTensors | undefined,
  problems: string[],
): Promise<string> {
  const { tensors, config } = archive;
  const numClasses = countAt(config, 'dataset.num_classes', problems);
  const layers = countAt(config, 'classifier_head.num_output_layers', problems);
  const present = new Set(tensors.names());
  const firstLayer = 'classifier.mlp.layer0.weight';
  const hidden = layout?.hiddenSize ?? (present.has(firstLayer) ? (tensors.info(firstLayer).shape[1] ?? 0) : 0);
  const wanted = new Map<string, number[]>();
  for (let layer = 0; layer < Math.min(layers, present.size); layer += 1) {
    const outputs = layer === layers - 1 ? numClasses : hidden;
    wanted.set(`classifier.mlp.layer${2 * layer}.weight`, [outputs, hidden]);
    wanted.set(`classifier.mlp.layer${2 * layer}.bias`, [outputs]);
  }
  if (present.has('loss.weight')) wanted.set('loss.weight', [numClasses]);
  for (const [name, shape] of wanted) {
    if (present.has(name)) checkFloating(archive, name, shape, problems);
    else problems.push(`the tensor ${name} is missing`);
  }
  const others = [...present].filter((name) => !name.startsWith(encoderPrefix) && !wanted.has(name));
  for (const name of others)
    if (name.startsWith('classifier.')) problems.push(`the tensor ${name} is not part of the configured head`);
  // NeMo's metrics, for example: nothing reads them, so they make no archive unsound.
  const spare = others.filter((name) => !name.startsWith('classifier.'));
  const ignored = spare.length === 0 ? '' : `; not part of the model, and ignored: ${spare.join(', ')}`;
  const weighted = present.has('loss.weight') ? ', with the class weights of the loss' : '';
  return Promise.resolve(`${counted(layers, 'layer')} for ${numClasses} classes${weighted}${ignored}`);
}

async function checkLabels(archive: NemoArchive, problems: string[]): Promise<string> {
  const labels = await archive.labels();
  if (labels === undefined) return 'none: classes are named by their ids';
  const numClasses = valueAt(archive.config, 'dataset.num_classes');
  if (labels.length !== numClasses)
    problems.push(`${counted(labels.length, 'name')} for ${JSON.stringify(numClasses)} classes`);
  if (new Set(labels).size !== labels.length) problems.push('two classes have the same name');
  return counted(labels.length, 'name');
}

async function checkVocabulary(
  archive: NemoArchive,
  layout: EncoderTensors | undefined,
  problems: string[],
): Promise<string> {
  const bytes = await archive.artifact('tokenizer_vocab_dict');
  const file = await archive.artifact('tokenizer.vocab_file');
  if (bytes === undefined) return file === undefined ? 'none' : `a file of ${file.length} bytes`;
  const ids = Object.values(parseJsonObject(bytes, `${archive.path}: tokenizer_vocab_dict`));
  if (layout === undefined) return `${ids.length} tokens`;
  const words = encoderPrefix + layout.wordEmbeddings;
  const rows = archive.tensors.names().includes(words) ? (archive.tensors.info(words).shape[0] ?? 0) : 0;
  const beyond = ids.filter((id) => typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= rows);
  if (beyond.length > 0) problems.push(`${counted(beyond.length, 'id')} of tokens beyond the ${rows} word embeddings`);
  return `${ids.length} tokens for ${rows} word embeddings`;
}

async function checkValues({ tensors }: NemoArchive, problems: string[]): Promise<string> {
  let count = 0;
  for (const name of tensors.names()) {
    if (!isFloating(tensors.info(name).dtype)) {
      await tensors.read(name);
      continue;
    }
    const values = await tensors.readFloat32(name);
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at >= 0) problems.push(`${name} contains ${values[at]} at index ${at}`);
    count += values.length;
  }
  return `${count} numbers, all read`;
}

async function checkDigests(archive: NemoArchive, problems: string[]): Promise<string> {
  if (!archive.record) return 'the archive records none';
  // Checked even if `digest` or `files` is missing: every record is written with both, so their names must be damaged.
  if (!isSealIntact(archive.record)) problems.push(`${recordMember} does not match its digest`);
  const digests = fileDigests(archive.record) ?? new Map<string, string>();
  const names = archive.members.map(({ name }) => name).filter((name) => name !== recordMember);
  for (const name of names) {
    const recorded = digests.get(name);
    if (recorded === undefined) problems.push(`${name} is not in the record`);
    else if (recorded !== (await archive.sha256(name))) problems.push(`${name} does not match its digest`);
  }
  for (const name of digests.keys())
    if (!names.includes(name)) problems.push(`${name} is in the record, not in the archive`);
  return `${counted(digests.size, 'file')} and the record were compared with their digests`;
}

const isFloating = (dtype: string) => dtype.includes('F');

function checkFloating(archive: NemoArchive, name: string, shape: readonly number[], problems: string[]): void {
  const info = archive.tensors.info(name);
  if (info.shape.join() !== shape.join())
    problems.push(`${name} has shape [${info.shape.join(', ')}], but the configuration requires [${shape.join(', ')}]`);
  if (!isFloating(info.dtype)) problems.push(`${name} has dtype ${info.dtype}, which is not floating-point`);
}

function countAt(config: JsonObject, key: string, problems: string[]): number {
  const value = valueAt(config, key);
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  const shown = isJsonObject(value) ? 'a section' : JSON.stringify(value ?? null);
  problems.push(`${key} is ${shown}, not a positive number`);
  return 0;
}
