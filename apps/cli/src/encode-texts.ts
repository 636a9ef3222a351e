import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '@nautil/contracts';
import { openEncoder } from '@nautil/formats/encoder';
import {
  type EncoderConfig,
  encoderLayout,
  encoderWeights,
  Forward,
  ModelWeights,
  parseEncoderConfig,
} from '@nautil/model';
import { loadTokenizer, requireSupportedTokenizer, type Tokenizer } from '@nautil/tokenization';
import { findModel } from './find-model.js';
import { printData, printMessage } from './output.js';
import { type InputOptions, openInput, rowChunks } from './predict/input-rows.js';
import { zip } from './zip.js';

export interface EncodeTextsOptions extends Pick<InputOptions, 'input' | 'inputFormat' | 'textColumn'> {
  /** Path of an encoder, or the name of one on this machine. */
  model: string;

  /** Folder or model name; default: the model's own folder. */
  tokenizer?: string;

  /** In tokens; default: the model's maximum. */
  maxLength?: number;
  batchSize: number;
}

/** Writes a line of JSON for each text of the input to standard output: `text`, `input_ids`, `first_token`. */
export async function encodeTexts(options: EncodeTextsOptions): Promise<void> {
  requireSupportedTokenizer(options.tokenizer);
  const path = await findModel(options.model);
  const { encoder, weights, notes } = await loadEncoder(path);
  try {
    const forward = new Forward(weights, { encoder });
    const found = await tokenizerFor(path, encoder.modelType, options);
    requireEmbeddings(found.tokenizer, encoder, options);
    for (const note of [...notes, ...found.notes]) printMessage(note);
    const longest = truncationLength(encoder, options) ?? Math.min(found.maxTokens ?? Infinity, encoder.maxLength);
    const input = await openInput(options, { pairs: false, numClasses: 0 });
    for await (const chunk of rowChunks(input, { input: options.input, batchSize: 1 })) {
      const rows = chunk.map((row) => {
        const text = row.input as string; // `pairs: false` gives single texts
        return { text, ids: found.tokenizer.encode(text, longest) };
      });
      const vectors = await forward.runRows(
        rows.map(({ ids }) => ids),
        { padId: encoder.padTokenId, batchSize: options.batchSize },
      );
      const lines = [...zip(rows, vectors)].map(([{ text, ids }, vector]) => jsonLine(text, ids, vector));
      await printData(lines.join('\n'));
    }
  } finally {
    weights.close();
  }
}

async function loadEncoder(path: string) {
  const opened = await openEncoder({ path, layout: encoderLayout });
  const { config, tensors, notes } = opened;
  const encoder = parseEncoderConfig(config, path);
  const weights = new ModelWeights({ specs: encoderWeights(encoder) });
  try {
    const inFile = new Set(tensors.names());
    await weights.load(async (name) => (inFile.has(name) ? tensors.readFloat32(name) : undefined), path);
    return { encoder, weights, notes };
  } catch (error) {
    weights.close();
    throw error;
  } finally {
    await opened.close();
  }
}

/** An id without an embedding would fail only at the first text that contains it. @throws UsageError */
function requireEmbeddings(
  { vocabSize }: Tokenizer,
  encoder: EncoderConfig,
  { model, tokenizer: named }: EncodeTextsOptions,
): void {
  if (vocabSize <= encoder.vocabSize) return;
  const whose = named === undefined ? 'the tokenizer beside it' : `the tokenizer ${named}`;
  throw new UsageError(
    `${whose} has ${vocabSize} ids, and the encoder ${model} has embeddings for ${encoder.vocabSize}`,
    { hint: '--tokenizer FOLDER names the tokenizer that the encoder was pretrained with' },
  );
}

/** The given length; undefined without one. @throws UsageError when the encoder has no positions for it */
function truncationLength({ maxLength: most }: EncoderConfig, { maxLength }: EncodeTextsOptions): number | undefined {
  if (maxLength === undefined || maxLength <= most) return maxLength;
  throw new UsageError(`--max-length is ${maxLength}, and the encoder has positions for ${most} tokens`, {
    hint: `write at most ${most}, or leave the option out for as much as the encoder takes`,
  });
}

interface FoundTokenizer {
  tokenizer: Tokenizer;

  /** The length to which the model's own configuration truncates texts. */
  maxTokens?: number;
  notes: readonly string[];
}

/** The tokenizer that the user named; otherwise that of the archive, or the one in the model's folder. */
async function tokenizerFor(
  path: string,
  modelType: string,
  { model, tokenizer: named }: EncodeTextsOptions,
): Promise<FoundTokenizer> {
  if (/\.nemo$/i.test(path)) {
    const { Classifier } = await import('@nautil/training');
    const classifier = await Classifier.open(path, { tokenizerFolder: named });
    classifier.close();
    const { tokenizer, maxTokens, notes } = classifier;
    return { tokenizer, maxTokens, notes };
  }
  const beside = statSync(path).isDirectory() ? path : dirname(path);
  const tokenizer = await loadTokenizer({
    folder: named === undefined ? beside : await findModel(named),
    name: named ?? model,
    modelType,
  });
  return { tokenizer, notes: [...tokenizer.notes, ...tokenizer.warnings] };
}

const jsonLine = (text: string, ids: readonly number[], vector: Float32Array): string =>
  JSON.stringify({ text, input_ids: ids, first_token: Array.from(vector) });
