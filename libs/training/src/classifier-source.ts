import { isUtf8 } from 'node:buffer';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { JsonObject } from '@nautil/contracts';
import { InvalidJson, jsonValidator } from '@nautil/contracts/schemas';
import { readLabelNames } from '@nautil/datasets';
import { CorruptFile, FileUnavailable, openTensors, type TensorSource } from '@nautil/formats';
import { findEncoder } from '@nautil/formats/encoder';
import { checkNemo, type NemoArchive, parseNemoYaml, readNemo } from '@nautil/formats/nemo';
import { type EncoderConfig, encoderLayout, parseEncoderConfig } from '@nautil/model';
import { readWholeFile } from '@nautil/store/streams';
import {
  createTokenizer,
  type LoadedTokenizer,
  loadTokenizer,
  parseTokenizerDefinition,
  requireSupportedTokenizer,
  storedCasing,
  type Tokenizer,
  type TokenizerDefinition,
} from '@nautil/tokenization';
import { encoderConfigOf } from './encoder-source.js';
import { type EvaluationSettings, evaluationSettings } from './evaluation-settings.js';
import { openCheckpoint } from './open-checkpoint.js';

export interface ClassifierSourceOptions {
  /** Folder with the tokenizer's files, for archives without them (RoBERTa's merges). */
  tokenizerFolder?: string | undefined;
}

/** Everything needed to build a classifier, whatever file it comes from. */
export interface ClassifierSource {
  /** Under NeMo's names. */
  tensors: TensorSource;
  encoder: EncoderConfig;

  /** The encoder's config.json, of which `encoder` is what determines its numbers. */
  encoderConfig: JsonObject;
  tokenizer: Tokenizer;
  labels: string[] | undefined;

  /** Whether the model classifies pairs of texts. */
  pairs: boolean;

  /** The scores of its run; undefined where the file does not record them. */
  metrics: JsonObject | undefined;

  /** The settings with which the run evaluated these weights; undefined where the file does not record them. */
  evaluation: EvaluationSettings | undefined;

  /** The length in tokens to which texts are truncated. Infinity if only the encoder limits it. */
  maxSeqLength: number;

  /** Sentences for the log: what was assumed, and why. */
  notes: string[];

  /** A sentence on whether text is lower-cased, of an archive that records it. Where it was inferred, it is among the notes. */
  casing?: string;

  /** Why the model must not be used, after reading all of the file. `nautil verify` reports the same. */
  problems(): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * Nautil's own record in its archives, next to NeMo's files. It contains the tokenizer, so texts are always tokenized as they
 * were in training. With an archive without a record, texts are tokenized as NeMo does.
 */
export interface ArchiveRecord {
  version: 1;
  tokenizer: TokenizerDefinition;

  /** True: the model classifies pairs of texts. */
  pairs?: boolean;

  /** Names by label id. */
  labels?: string[];

  /** Digests of data, configuration and code. No times, ids or paths, so equal runs give equal bytes. */
  lineage: Record<string, string>;
  metrics?: JsonObject;

  /** What an evaluation needs to repeat the run's numbers. Archives of 0.1.0 lack it. */
  evaluation?: EvaluationSettings;
}

const text = Type.String();

const archiveRecord = Type.Object({
  version: Type.Literal(1),
  tokenizer: Type.Unknown(),
  pairs: Type.Optional(Type.Boolean()),
  labels: Type.Optional(Type.Array(text)),
  lineage: Type.Record(text, text),
  metrics: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object' })),
  evaluation: Type.Optional(evaluationSettings),
});

const validateRecord = fileValidator(archiveRecord);

function parseRecord(value: unknown, file: string): ArchiveRecord {
  const record = validateRecord(value, file);
  return { ...record, tokenizer: parseTokenizerDefinition(record.tokenizer, `${file}: tokenizer`) };
}

const parseEvaluationSettings = fileValidator(evaluationSettings);
const parseSpecialTokens = fileValidator(Type.Union([Type.Record(text, text), Type.Null()]));

/** Creates a validator that reports a mismatch as CorruptFile with the file and the field. */
function fileValidator<S extends TSchema>(schema: S): (value: unknown, file: string) => Static<S> {
  const validate = jsonValidator(schema);
  return (value, file) => {
    try {
      return validate(value, 'its content');
    } catch (error) {
      if (!(error instanceof InvalidJson)) throw error;
      throw new CorruptFile(file, error.message, { cause: error });
    }
  };
}

/** Whether a path is that of a checkpoint, by its name. */
export const isCheckpoint = (path: string): boolean => /\.(?:ckpt|safetensors)$/.test(path);

/** Opens a `.nemo` archive, or a checkpoint of Nautil (`.ckpt`, `.safetensors`) in the folder of its run. */
export function openClassifierSource(path: string, options: ClassifierSourceOptions): Promise<ClassifierSource> {
  return isCheckpoint(path) ? checkpointSource(path) : archiveSource(path, options);
}

/** Sentences on an archive's or a checkpoint's encoder and tokenizer: whether text is lower-cased, and why. */
export async function classifierNotes(path: string): Promise<string[]> {
  const source = await openClassifierSource(path, {});
  await source.close();
  return source.casing === undefined ? source.notes : [source.casing, ...source.notes];
}

/** The settings with which the run of an archive evaluated it; undefined where the file does not record them. */
export async function recordedEvaluation(
  path: string,
  options: ClassifierSourceOptions,
): Promise<EvaluationSettings | undefined> {
  const source = await openClassifierSource(path, options);
  await source.close();
  return source.evaluation;
}

async function archiveSource(path: string, options: ClassifierSourceOptions): Promise<ClassifierSource> {
  const archive = await readNemo(path);
  try {
    const record = archive.record && parseRecord(archive.record, `${path}: nautil.json`);
    const { config, notes: encoderNotes } = await archive.encoderConfig();
    const encoder = parseEncoderConfig(config, path);
    const { tokenizer, notes: tokenizerNotes, casing } = await tokenizerOf(archive, record, encoder, options);
    return {
      tensors: archive.tensors,
      encoder,
      encoderConfig: config,
      tokenizer,
      labels: record?.labels ?? (await labelsOf(archive)),
      pairs: record?.pairs ?? false,
      metrics: record?.metrics,
      evaluation: record?.evaluation,
      maxSeqLength: maxSeqLengthOf(archive.config),
      notes: [...encoderNotes, ...tokenizerNotes],
      ...(casing === undefined ? {} : { casing }),
      async problems() {
        const checks = await checkNemo(archive, {
          layout: encoderLayout,
          tokenizer: () => Promise.resolve(tokenizer.definition.name),
        });
        return checks.flatMap(({ problems }) => problems);
      },
      close: () => archive.close(),
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

/** The encoder, the tokenizer and the labels come from the run's `hparams.yaml`, because checkpoints lack them. */
async function checkpointSource(path: string): Promise<ClassifierSource> {
  // A checkpoint that is missing or damaged is reported before the files beside it.
  await (await openTensors(path)).close();
  const file = join(dirname(dirname(path)), 'hparams.yaml');
  const bytes = await readWholeFile(file).catch(() => {
    throw new FileUnavailable(file, `it is missing, and the checkpoint ${path} cannot be opened without it`, {
      hint: "keep checkpoints in the folder of their run, or use the run's .nemo archive",
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
  requireSupportedTokenizer(textAt(section, 'tokenizer_name'));
  const tokenizer: LoadedTokenizer = await loadTokenizer({
    folder: await findEncoder(textAt(section, 'tokenizer_name') ?? name),
    vocabFile: textAt(section, 'vocab_file') ?? textAt(section, 'tokenizer_model'),
    name: textAt(section, 'tokenizer_name') ?? name,
    specialTokens: specialTokensOf(section, file),
    doLowerCase: booleanAt(objectAt(config, 'dataset'), 'do_lower_case'),
    mode: textAt(objectAt(objectAt(hparams, 'nautil'), 'tokenization'), 'mode') === 'nemo' ? 'nemo' : 'standard',
  });
  const labelsFile = textAt(objectAt(config, 'class_labels'), 'class_labels_file');
  // Earlier versions did not write it.
  const evaluation = objectAt(hparams, 'nautil')['evaluation'];
  const settings = {
    encoder: parseEncoderConfig(encoderConfig, file),
    encoderConfig: encoderConfig as JsonObject,
    tokenizer,
    labels: await checkpointLabels(dirname(file), labelsFile),
    pairs: booleanAt(objectAt(hparams, 'nautil'), 'pairs') ?? false,
    metrics: undefined,
    evaluation: evaluation === undefined ? undefined : parseEvaluationSettings(evaluation, file),
    maxSeqLength: maxSeqLengthOf(config),
    notes: [...tokenizer.notes, ...tokenizer.warnings],
  };
  // Last, because an error above would leave the file open.
  const { source: tensors } = await openCheckpoint(path);
  return {
    ...settings,
    tensors,
    problems: () => Promise.resolve([]),
    close: () => tensors.close(),
  };
}

/** The class names that the run wrote beside its `hparams.yaml`; runs of earlier versions have only the user's file. */
async function checkpointLabels(folder: string, labelsFile: string | undefined): Promise<string[] | undefined> {
  const written = join(folder, 'label_ids.tsv');
  if (existsSync(written)) return readLabelNames(written);
  return labelsFile === undefined ? undefined : readLabelNames(labelsFile);
}

/** The name of the tokenizer with which `Classifier` reads texts for an archive; throws what `Classifier.open` does. */
export async function archiveTokenizer(archive: NemoArchive): Promise<string> {
  const record = archive.record && parseRecord(archive.record, `${archive.path}: nautil.json`);
  const { config } = await archive.encoderConfig();
  const { tokenizer } = await tokenizerOf(archive, record, parseEncoderConfig(config, archive.path), {});
  return tokenizer.definition.name;
}

async function tokenizerOf(
  archive: NemoArchive,
  record: ArchiveRecord | undefined,
  encoder: EncoderConfig,
  { tokenizerFolder }: ClassifierSourceOptions,
): Promise<{ tokenizer: Tokenizer; notes: string[]; casing?: string }> {
  if (record) {
    const unused =
      tokenizerFolder === undefined ? [] : [`${tokenizerFolder} is not read: ${archive.path} contains its tokenizer`];
    return {
      tokenizer: createTokenizer(record.tokenizer),
      notes: unused,
      casing: storedCasing(record.tokenizer, archive.path),
    };
  }
  const section = objectAt(archive.config, 'tokenizer');
  const name = textAt(section, 'tokenizer_name');
  requireSupportedTokenizer(name);
  const vocabulary = await archive.artifact('tokenizer.vocab_file');
  if (vocabulary === undefined && tokenizerFolder === undefined) {
    throw new CorruptFile(
      archive.path,
      'there is no vocabulary in it (tokenizer.vocab_file), so no text can be tokenized',
    );
  }
  const specialTokens = specialTokensOf(section, `${archive.path}: model_config.yaml`);
  const folder = await mkdtemp(join(tmpdir(), 'nautil-vocabulary-'));
  try {
    const vocabFile = join(folder, vocabularyName(textAt(section, 'vocab_file'), vocabulary));
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

/** The name by which the tokenizer recognizes the kind of a vocabulary. NeMo's names of SentencePiece models end in `.model`. */
function vocabularyName(artifact: string | undefined, content: Uint8Array | undefined): string {
  if (artifact?.endsWith('.model'))
    return basename(artifact)
      .replace(/^nemo:/, '')
      .replace(/^[0-9a-f]{32}_/, '');
  return content?.[0] === '{'.charCodeAt(0) ? 'vocab.json' : 'vocab.txt';
}

async function labelsOf(archive: NemoArchive): Promise<string[] | undefined> {
  // The key was `class_labels` in NeMo 1.0.
  const file = (await archive.artifact('class_labels.class_labels_file')) ?? (await archive.artifact('class_labels'));
  if (file === undefined) return undefined;
  return linesOf(file, archive.path);
}

function linesOf(bytes: Uint8Array, file: string): string[] {
  if (!isUtf8(bytes)) throw new CorruptFile(file, 'the names of the labels are not valid UTF-8');
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\r|\n/);
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

function specialTokensOf(tokenizer: JsonObject, file: string): Record<string, string> | null | undefined {
  const value = tokenizer['special_tokens'];
  return value === undefined ? undefined : parseSpecialTokens(value, `${file}: tokenizer.special_tokens`);
}

const textAt = (config: JsonObject, key: string): string | undefined => {
  const value = config[key];
  return typeof value === 'string' ? value : undefined;
};

const booleanAt = (config: JsonObject, key: string): boolean | undefined => {
  const value = config[key];
  return typeof value === 'boolean' ? value : undefined;
};
