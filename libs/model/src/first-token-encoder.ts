import type { Encoder } from '@nautil/formats';
import { Graph, hostTensor, Session, trace, type Output, type Variable } from '@nautil/tensorflow';
import { encode } from './encode.js';
import { maxLength, parseEncoderConfig, type EncoderConfig } from './encoder-config.js';
import { InputTooLong } from './errors.js';

export interface FirstTokenEncoderOptions {
  /** Rows computed at a time. Default 32. */
  batchSize?: number;

  /** What error messages call the encoder's configuration. */
  source: string;
}

interface Compiled {
  ids: Output;
  mask: Output;
  first: Output;
}

// Lengths are rounded up, so that a few graphs serve all rows.
const lengthMultiple = 8;

/**
 * An encoder in a TensorFlow session of its own, that gives the last hidden state of each row's first token: what a
 * classifier reads of a text. Rows of like length are computed together; the order of the results is that of the rows.
 *
 * @example
 * const opened = await openEncoder({ path, layout });
 * const encoder = await FirstTokenEncoder.load(opened, { source: path });
 * await opened.close();
 * const [vector] = await encoder.vectors([[101, 1037, 2986, 2143, 102]]); // Float32Array [H]
 * encoder.close();
 */
export class FirstTokenEncoder {
  readonly config: EncoderConfig;
  readonly #batchSize: number;
  readonly #graph = new Graph();
  readonly #session = new Session(this.#graph);
  readonly #weights: Variable[];
  readonly #compiled = new Map<string, Compiled>();
  #reads: Output[] | undefined;

  private constructor(config: EncoderConfig, weights: { name: string; shape: readonly number[] }[], batchSize: number) {
    this.config = config;
    this.#batchSize = batchSize;
    this.#weights = weights.map(({ name, shape }) => this.#graph.variable(name, [...shape]));
  }

  /** Copies the weights of an encoder, which may be closed then. */
  static async load({ config: json, tensors }: Encoder, o: FirstTokenEncoderOptions): Promise<FirstTokenEncoder> {
    const weights = tensors.names().map((name) => ({ name, shape: tensors.info(name).shape }));
    const encoder = new FirstTokenEncoder(parseEncoderConfig(json, o.source), weights, o.batchSize ?? 32);
    try {
      for (const variable of encoder.#weights)
        await encoder.#assign(variable, await tensors.readFloat32(variable.name));
    } catch (error) {
      encoder.close();
      throw error;
    }
    return encoder;
  }

  /**
   * The vector of each row: [H].
   *
   * @param rows - token ids with their special tokens, no padding; at least one id each, at most `maxLength(config)`.
   */
  async vectors(rows: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const { hiddenSize: H } = this.config;
    const results = new Array<Float32Array>(rows.length);
    const order = [...rows.keys()].sort((a, b) => rows[a]!.length - rows[b]!.length || a - b);
    for (let at = 0; at < order.length; at += this.#batchSize) {
      const indexes = order.slice(at, at + this.#batchSize);
      const values = await this.#run(indexes.map((index) => rows[index]!));
      indexes.forEach((index, row) => (results[index] = values.slice(row * H, (row + 1) * H)));
    }
    return results;
  }

  /** Frees the session with its weights. */
  close(): void {
    this.#session.close();
    this.#graph.close();
  }

  /** First vectors of one batch: [at least rows.length, H], row-major. */
  async #run(rows: readonly (readonly number[])[]): Promise<Float32Array> {
    const longest = Math.max(...rows.map((row) => row.length));
    const most = maxLength(this.config);
    if (longest > most) {
      throw new InputTooLong(`a row of ${longest} tokens: this ${this.config.modelType} has positions for ${most}`, {
        hint: `cut texts to at most ${most} tokens`,
      });
    }
    const length = Math.min(Math.ceil(longest / lengthMultiple) * lengthMultiple, most);
    // A full batch has one graph a length, a smaller one that of the next power of two.
    const padded = Math.min(this.#batchSize, 2 ** Math.ceil(Math.log2(rows.length)));
    const ids = new Int32Array(padded * length).fill(this.config.padTokenId);
    const mask = new Int32Array(padded * length);
    for (const [row, values] of rows.entries()) {
      ids.set(values, row * length);
      mask.fill(1, row * length, row * length + values.length);
    }
    const compiled = this.#compile(padded, length);
    const [first] = await this.#session.run({
      feeds: [
        [compiled.ids, hostTensor('int32', [padded, length], ids)],
        [compiled.mask, hostTensor('int32', [padded, length], mask)],
      ],
      fetches: [compiled.first],
    });
    return first!.data as Float32Array;
  }

  #compile(rows: number, length: number): Compiled {
    const key = `${rows}x${length}`;
    const known = this.#compiled.get(key);
    if (known) return known;
    const graph = this.#graph;
    const reads = (this.#reads ??= this.#weights.map((variable) => variable.read()));
    const ids = graph.placeholder('int32', [rows, length]);
    const mask = graph.placeholder('int32', [rows, length]);
    const first = trace(graph, ({ tensor, output }) => {
      const weights = Object.fromEntries(this.#weights.map(({ name }, i) => [name, tensor(reads[i]!)]));
      const input = { ids: tensor(ids), mask: tensor(mask) };
      return output(encode(this.config, weights, input, { firstTokenOnly: true }));
    });
    const compiled = { ids, mask, first };
    this.#compiled.set(key, compiled);
    return compiled;
  }

  async #assign(variable: Variable, data: Float32Array): Promise<void> {
    const value = this.#graph.placeholder('float32', [...variable.shape]);
    const feed = hostTensor('float32', [...variable.shape], data);
    await this.#session.run({ feeds: [[value, feed]], targets: [variable.assign(value)] });
  }
}
