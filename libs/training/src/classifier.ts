import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CorruptFile, readNemo, type JsonObject, type NemoArchive } from '@nautil/checkpoint';
import { maxLength, parseEncoderConfig, type EncoderConfig } from '@nautil/model';
import {
  createTokenizer,
  loadTokenizer,
  type Batch,
  type Tokenizer,
  type TokenizerDefinition,
} from '@nautil/tokenization';
import { ClassifierGraph } from './classifier-graph.js';
import { argmax, softmax } from './cross-entropy.js';

/** What the model says of one text. */
export interface Prediction {
  labelId: number;

  /** From the archive's labels; the id as text when it has none. */
  label: string;

  /** Probability of every class. [numClasses] */
  scores: number[];

  /** [numClasses] */
  logits: number[];
}

export interface ClassifierOptions {
  /** Folder with the tokenizer's files, for archives that lack them (RoBERTa's merges). */
  tokenizerFolder?: string;

  /** Rows of one batch. Default 32. */
  batchSize?: number;
  intraOpThreads?: number;
  device?: string;
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

const lengthMultiple = 8;

/** Texts that are sorted by length together before they are cut into batches. */
const window = 1024;

/**
 * A trained classifier, read from a `.nemo` archive of Nautil's or NeMo's. It needs no network and no server.
 *
 * @example
 * const classifier = await Classifier.open('sst2.nemo');
 * const [answer] = await classifier.predict(['a gorgeous, witty, seductive movie']);
 * classifier.close();
 */
export class Classifier {
  readonly tokenizer: Tokenizer;
  readonly encoder: EncoderConfig;
  readonly numClasses: number;
  readonly labels: readonly string[] | undefined;

  /** Longest input in tokens; longer texts are cut. */
  readonly maxTokens: number;

  /** What had to be decided, and by what: an inferred architecture, the tokenizer's casing, rebuilt merges. */
  readonly notes: readonly string[];
  readonly #graph: ClassifierGraph;
  readonly #batchSize: number;

  private constructor(o: {
    graph: ClassifierGraph;
    tokenizer: Tokenizer;
    encoder: EncoderConfig;
    numClasses: number;
    labels: string[] | undefined;
    maxTokens: number;
    notes: string[];
    batchSize: number;
  }) {
    this.#graph = o.graph;
    this.#batchSize = o.batchSize;
    this.tokenizer = o.tokenizer;
    this.encoder = o.encoder;
    this.numClasses = o.numClasses;
    this.labels = o.labels;
    this.maxTokens = o.maxTokens;
    this.notes = o.notes;
  }

  /** @throws CorruptFile and its kin for a broken archive, UnsupportedEncoder, TokenizerError, TensorFlowMissing. */
  static async open(path: string, options: ClassifierOptions = {}): Promise<Classifier> {
    const archive = await readNemo(path);
    try {
      const record = archive.record as ArchiveRecord | undefined;
      const { config, notes: encoderNotes } = await archive.encoderConfig();
      const encoder = parseEncoderConfig(config, path);
      const { tokenizer, notes: tokenizerNotes } = await tokenizerOf(archive, record, encoder, options);
      const head = headOf(archive);
      const graph = new ClassifierGraph({
        encoder,
        ...head,
        intraOpThreads: options.intraOpThreads,
        device: options.device,
      });
      const names = new Set(archive.tensors.names());
      await graph.load(async (name) => {
        if (names.has(name)) return archive.tensors.readFloat32(name);
        if (graph.weights.find((weight) => weight.name === name)?.used)
          throw new CorruptFile(path, `the weight ${name} is missing`);
        return undefined;
      });
      return new Classifier({
        graph,
        tokenizer,
        encoder,
        numClasses: head.numClasses,
        labels: record?.labels ?? (await labelsOf(archive)),
        maxTokens: Math.min(maxSeqLengthOf(archive.config), maxLength(encoder)),
        notes: [...encoderNotes, ...tokenizerNotes],
        batchSize: options.batchSize ?? 32,
      });
    } finally {
      await archive.close();
    }
  }

  /** One prediction for each text, in order. */
  async predict(texts: readonly string[]): Promise<Prediction[]> {
    const logits = await this.logits(texts.map((text) => this.tokenizer.encode(text, this.maxTokens)));
    return logits.map((row) => {
      const labelId = argmax(row);
      return {
        labelId,
        label: this.labels?.[labelId] ?? String(labelId),
        scores: Array.from(softmax(row)),
        logits: Array.from(row),
      };
    });
  }

  /** Logits of rows of token ids, each with its [CLS] and [SEP], in order. */
  async logits(rows: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const results = new Array<Float32Array>(rows.length);
    for (let from = 0; from < rows.length; from += window) {
      const order = Array.from({ length: Math.min(window, rows.length - from) }, (_, i) => from + i);
      order.sort((a, b) => rows[a]!.length - rows[b]!.length || a - b);
      for (let at = 0; at < order.length; at += this.#batchSize) {
        const indexes = order.slice(at, at + this.#batchSize);
        const logits = await this.#graph.logits(this.#batchOf(indexes.map((index) => rows[index]!)));
        indexes.forEach(
          (index, row) => (results[index] = logits.slice(row * this.numClasses, (row + 1) * this.numClasses)),
        );
      }
    }
    return results;
  }

  /** Frees the model's memory. */
  close(): void {
    this.#graph.close();
  }

  #batchOf(rows: (readonly number[])[]): Batch {
    const longest = Math.max(...rows.map((row) => row.length));
    const length = Math.max(
      longest,
      Math.min(Math.ceil(longest / lengthMultiple) * lengthMultiple, maxLength(this.encoder)),
    );
    // One graph serves all full batches, and a power of two the rest.
    const paddedRows = Math.min(this.#batchSize, 2 ** Math.ceil(Math.log2(rows.length)));
    const ids = new Int32Array(paddedRows * length).fill(this.tokenizer.padId);
    const mask = new Int32Array(paddedRows * length);
    for (let row = 0; row < paddedRows; row++) {
      const values = rows[row] ?? [];
      ids.set(values, row * length);
      mask.fill(1, row * length, row * length + Math.max(1, values.length));
    }
    const tokens = rows.reduce((sum, row) => sum + row.length, 0);
    return {
      rows: Int32Array.from(rows.keys()),
      size: rows.length,
      paddedRows,
      length,
      ids,
      mask,
      labels: new Int32Array(paddedRows),
      tokens,
    };
  }
}

async function tokenizerOf(
  archive: NemoArchive,
  record: ArchiveRecord | undefined,
  encoder: EncoderConfig,
  { tokenizerFolder }: ClassifierOptions,
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

/** The head's size, read off its weights. */
function headOf(archive: NemoArchive): { numClasses: number; numOutputLayers: number } {
  const layers = archive.tensors.names().filter((name) => /^classifier\.mlp\.layer\d+\.weight$/.test(name));
  const last = `classifier.mlp.layer${2 * (layers.length - 1)}.weight`;
  if (!layers.includes(last))
    throw new CorruptFile(archive.path, 'there is no classifier head in it (classifier.mlp.layer0.weight …)');
  return { numOutputLayers: layers.length, numClasses: archive.tensors.info(last).shape[0]! };
}

async function labelsOf(archive: NemoArchive): Promise<string[] | undefined> {
  // The key was `class_labels` in NeMo 1.0.
  const file = (await archive.artifact('class_labels.class_labels_file')) ?? (await archive.artifact('class_labels'));
  if (file === undefined) return undefined;
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
