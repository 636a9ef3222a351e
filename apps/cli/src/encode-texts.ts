import { once } from 'node:events';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { findEncoder, openEncoder } from '@nautil/formats';
import { encoderLayout, FirstTokenEncoder, maxLength } from '@nautil/model';
import { loadTokenizer, type Tokenizer } from '@nautil/tokenization';
import { inputTexts, type InputTexts } from './input-texts.js';

export interface EncodeTextsOptions extends InputTexts {
  /** Path of an encoder, or the name of one on this machine. */
  model: string;

  /** Folder or model name; default: where the model lies. */
  tokenizer?: string;

  /** In tokens; default: what the model takes. */
  maxLength?: number;
  batchSize: number;
}

/** Texts that are encoded at a time: memory stays flat, and a pipe gets its answers early. */
const chunkTexts = 512;

/** Writes a line of JSON for each text of the input to standard output: `text`, `input_ids`, `first_token`. */
export async function encodeTexts(options: EncodeTextsOptions): Promise<void> {
  const path = await findEncoder(options.model);
  const { encoder, notes } = await loadEncoder(path, options.batchSize);
  try {
    const found = await tokenizerFor(path, encoder.config.modelType, options);
    for (const note of [...notes, ...found.notes]) process.stderr.write(`${note}\n`);
    const longest = Math.min(options.maxLength ?? found.maxTokens ?? Infinity, maxLength(encoder.config));
    let texts: string[] = [];
    const answer = async (): Promise<void> => {
      const rows = texts.map((text) => found.tokenizer.encode(text, longest));
      const vectors = await encoder.vectors(rows);
      const lines = texts.map((text, i) => jsonLine(text, rows[i]!, vectors[i]!)).join('');
      texts = [];
      if (!process.stdout.write(lines)) await once(process.stdout, 'drain');
    };
    for await (const text of inputTexts(options)) if (texts.push(text) === chunkTexts) await answer();
    if (texts.length > 0) await answer();
  } finally {
    encoder.close();
  }
}

async function loadEncoder(path: string, batchSize: number) {
  const opened = await openEncoder({ path, layout: encoderLayout });
  try {
    return { encoder: await FirstTokenEncoder.load(opened, { source: path, batchSize }), notes: opened.notes };
  } finally {
    await opened.close();
  }
}

interface FoundTokenizer {
  tokenizer: Tokenizer;

  /** Length that the model's own configuration cuts texts to. */
  maxTokens?: number;
  notes: readonly string[];
}

/** The tokenizer that was asked for, else the one that the model was trained or lies with. */
async function tokenizerFor(
  path: string,
  modelType: string,
  { model, tokenizer: asked }: EncodeTextsOptions,
): Promise<FoundTokenizer> {
  if (/\.nemo$/i.test(path)) {
    const { Classifier } = await import('@nautil/training');
    const classifier = await Classifier.open(path, { tokenizerFolder: asked });
    classifier.close();
    const { tokenizer, maxTokens, notes } = classifier;
    return { tokenizer, maxTokens, notes };
  }
  const beside = statSync(path).isDirectory() ? path : dirname(path);
  const tokenizer = await loadTokenizer({
    folder: asked === undefined ? beside : await findEncoder(asked),
    name: asked ?? model,
    modelType,
  });
  return { tokenizer, notes: [...tokenizer.notes, ...tokenizer.warnings] };
}

const jsonLine = (text: string, ids: readonly number[], vector: Float32Array): string =>
  `${JSON.stringify({ text, input_ids: ids, first_token: Array.from(vector) })}\n`;
