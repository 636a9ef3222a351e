import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { JsonObject } from '@nautil/contracts';
import {
  CorruptFile,
  FileUnavailable,
  findEncoder,
  type NemoArchive,
  openTensors,
  parseNemoYaml,
  readNemo,
  type TensorSource,
} from '@nautil/formats';
import { type EncoderConfig, parseEncoderConfig } from '@nautil/model';
import {
  createTokenizer,
  type LoadedTokenizer,
  loadTokenizer,
  type Tokenizer,
  type TokenizerDefinition,
} from '@nautil/tokenization';
import { encoderConfigOf } from './encoder-source.js';

export interface ClassifierSourceOptions {
  /** Folder with the tokenizer's files, for archives without them (RoBERTa's merges). */
  tokenizerFolder?: string | undefined;
}

/** Everything that a classifier is made from, wherever it was found. */
export interface ClassifierSource {
  /** Under NeMo's names. */
  tensors: TensorSource;
  encoder: EncoderConfig;
  tokenizer: Tokenizer;
  labels: string[] | undefined;

  /** Texts are cut here; Infinity: by the encoder alone. */
  maxSeqLength: number;

  /** What had to be decided, and by what. */
  notes: string[];
  close(): Promise<void>;
}

/**
 * What Nautil writes into its archives beside NeMo's files: with it, a text is tokenised at every time as it was in
 * training. Archives without one are tokenised NeMo's way.
 */
export interface ArchiveRecord {
  version: 1;
  tokenizer: TokenizerDefinition;

  /** Names by label id. */
  labels?: string[];

  /** Digests of data, configuration and code; no times, ids or paths, so that equal runs give equal bytes. */
  lineage: Record<string, string>;
  metrics?: JsonObject;
}

/** Opens a `.nemo` archive, or a checkpoint of ours (`.ckpt`, `.safetensors`) beside the `hparams.yaml` of its run. */
export function openClassifierSource(path: string, options: ClassifierSourceOptions): Promise<ClassifierSource> {
  return /\.(?:ckpt|safetensors)$/.test(path) ? checkpointSource(path) : archiveSource(path, options);
}

async function archiveSource(path: string, options: ClassifierSourceOptions): Promise<ClassifierSource> {
  const archive = await readNemo(path);
  try {
    const record = archive.record as ArchiveRecord | undefined;
    const { config, notes: encoderNotes } = await archive.encoderConfig();
    const encoder = parseEncoderConfig(config, path);
    const { tokenizer, notes: tokenizerNotes } = await tokenizerOf(archive, record, encoder, options);
    return {
      tensors: archive.tensors,
      encoder,
      tokenizer,
      labels: record?.labels ?? (await labelsOf(archive)),
      maxSeqLength: maxSeqLengthOf(archive.config),
      notes: [...encoderNotes, ...tokenizerNotes],
      close: () => archive.close(),
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

/** The run's own configuration says what its checkpoints don't: the encoder, the tokenizer and the labels. */
async function checkpointSource(path: string): Promise<ClassifierSource> {
  const file = join(dirname(dirname(path)), 'hparams.yaml');
  const bytes = await readFile(file).catch(() => {
    throw new FileUnavailable(file, `it is missing, and says what model ${path} belongs to`, {
      hint: 'leave checkpoints in the folder of their run, or name the .nemo of the run',
    });
  });
  const hparams = parseNemoYaml(bytes, file);
  const config = objectAt(hparams, 'cfg');
  const model = objectAt(config, 'language_model');
  const name = textAt(model, 'pretrained_model_name') ?? 'bert-base-uncased';
  const folder = await findEncoder(name);
  const encoderConfig = await encoderConfigOf({
    path: folder,
    config: 'config' in model && model['config'] !== null ? objectAt(model, 'config') : undefined,
    lmCheckpoint: textAt(model, 'lm_checkpoint'),
  });
  const section = objectAt(config, 'tokenizer');
  const tokenizer: LoadedTokenizer = await loadTokenizer({
    folder: await findEncoder(textAt(section, 'tokenizer_name') ?? name),
    vocabFile: textAt(section, 'vocab_file'),
    name: textAt(section, 'tokenizer_name') ?? name,
    specialTokens: section['special_tokens'] as Record<string, string> | null | undefined,
    doLowerCase: objectAt(config, 'dataset')['do_lower_case'] === true || undefined,
    mode: textAt(objectAt(objectAt(hparams, 'nautil'), 'tokenization'), 'mode') === 'nemo' ? 'nemo' : 'standard',
  });
  const labels = textAt(objectAt(config, 'class_labels'), 'class_labels_file');
  const tensors = await openTensors(path);
  return {
    tensors,
    encoder: parseEncoderConfig(encoderConfig, file),
    tokenizer,
    labels: labels === undefined ? undefined : linesOf(await readFile(labels)),
    maxSeqLength: maxSeqLengthOf(config),
    notes: [...tokenizer.notes, ...tokenizer.warnings],
    close: () => tensors.close(),
  };
}

async function tokenizerOf(
  archive: NemoArchive,
  record: ArchiveRecord | undefined,
  encoder: EncoderConfig,
  { tokenizerFolder }: ClassifierSourceOptions,
): Promise<{ tokenizer: Tokenizer; notes: string[] }> {
  if (record) return { tokenizer: createTokenizer(record.tokenizer), notes: [] };
  const vocabulary = await archive.artifact('tokenizer.vocab_file');
  if (vocabulary === undefined && tokenizerFolder === undefined) {
    throw new CorruptFile(
      archive.path,
      'there is no vocabulary in it (tokenizer.vocab_file), so no text can be tokenised',
    );
  }
  const section = objectAt(archive.config, 'tokenizer');
  const name = typeof section['tokenizer_name'] === 'string' ? section['tokenizer_name'] : undefined;
  const specialTokens = section['special_tokens'] as Record<string, string> | null | undefined;
  const folder = await mkdtemp(join(tmpdir(), 'nautil-vocabulary-'));
  try {
    const vocabFile = join(folder, vocabulary?.[0] === '{'.charCodeAt(0) ? 'vocab.json' : 'vocab.txt');
    if (vocabulary) await writeFile(vocabFile, vocabulary);
    const tokenizer = await loadTokenizer({
      ...(vocabulary ? { vocabFile } : {}),
      ...(tokenizerFolder === undefined ? {} : { folder: tokenizerFolder }),
      ...(name === undefined ? {} : { name }),
      modelType: encoder.modelType,
      specialTokens,
      mode: 'nemo',
    });
    return {
      tokenizer,
      notes: [...tokenizer.notes, ...tokenizer.warnings].map((note) =>
        note.replaceAll(vocabFile, `${archive.path}'s vocabulary`),
      ),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function labelsOf(archive: NemoArchive): Promise<string[] | undefined> {
  // The key was `class_labels` in NeMo 1.0.
  const file = (await archive.artifact('class_labels.class_labels_file')) ?? (await archive.artifact('class_labels'));
  if (file === undefined) return undefined;
  return linesOf(file);
}

function linesOf(file: Uint8Array): string[] {
  const lines = new TextDecoder().decode(file).split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function maxSeqLengthOf(config: JsonObject): number {
  const value = objectAt(config, 'dataset')['max_seq_length'];
  return typeof value === 'number' && value > 0 ? value : Infinity;
}

function objectAt(config: JsonObject, key: string): JsonObject {
  const value = config[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

const textAt = (config: JsonObject, key: string): string | undefined => {
  const value = config[key];
  return typeof value === 'string' ? value : undefined;
};
