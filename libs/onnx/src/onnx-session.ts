import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import type * as onnxruntime from 'onnxruntime-node';
import { OnnxRuntimeError, OnnxRuntimeMissing } from './errors.js';
import type { OnnxModel } from './onnx-graph.js';

const require = createRequire(import.meta.url);

type OnnxRuntime = typeof onnxruntime;

export interface OnnxSessionOptions {
  /** Threads inside one operator. Default: one for each core. */
  threads?: number | undefined;
}

/** The value of an input in a run. */
export interface OnnxFeed {
  shape: readonly number[];
  data: Int32Array | BigInt64Array | Float32Array;
}

/**
 * Runs a model in onnxruntime, on the CPU. Sizes that the model names are free in each run, and a new size costs nothing.
 *
 * @example
 * const session = await OnnxSession.create(graph.encode());
 * const values = await session.run({ x: { shape: [1, 3], data: Float32Array.of(1, 2, 3) } }, [1, 2]);
 * session.close();
 */
export class OnnxSession {
  readonly #runtime: OnnxRuntime;
  readonly #session: onnxruntime.InferenceSession;

  private constructor(runtime: OnnxRuntime, session: onnxruntime.InferenceSession) {
    this.#runtime = runtime;
    this.#session = session;
  }

  /**
   * Loads a model. onnxruntime copies its weights, and packs the matrices for the processor.
   *
   * @throws OnnxRuntimeMissing, OnnxRuntimeError
   */
  static async create(
    { proto, weights }: OnnxModel,
    { threads = availableParallelism() }: OnnxSessionOptions = {},
  ): Promise<OnnxSession> {
    const runtime = openOnnxRuntime();
    const session = await explained('the model cannot be loaded', () =>
      runtime.InferenceSession.create(proto, {
        externalData: weights,
        executionProviders: ['cpu'],
        // NOTE: its optimizer would join a sum and a norm to SkipLayerNormalization, which takes five times as long as both.
        graphOptimizationLevel: 'disabled',
        logSeverityLevel: 4, // Errors are thrown, too.
        // NOTE: without a number, onnxruntime binds each thread to a core, where it waits while another program uses that core.
        intraOpNumThreads: threads,
      }),
    );
    return new OnnxSession(runtime, session);
  }

  /**
   * The values of the model's only output.
   *
   * NOTE: the binding computes on the calling thread, so that timers wait for the end of a run.
   *
   * @param shape - of the output
   * @throws OnnxRuntimeError
   */
  async run(feeds: Readonly<Record<string, OnnxFeed>>, shape: readonly number[]): Promise<Float32Array> {
    const { Tensor } = this.#runtime;
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, { data, shape: sizes }]): [string, onnxruntime.Tensor] => {
        if (data instanceof Float32Array) return [name, new Tensor('float32', data, sizes)];
        return [name, data instanceof Int32Array ? new Tensor('int32', data, sizes) : new Tensor('int64', data, sizes)];
      }),
    );
    // The binding cannot allocate the output in a realm other than the first one that loaded it, as Jest's tests are.
    const values = new Float32Array(shape.reduce((size, dim) => size * dim, 1));
    const [output = ''] = this.#session.outputNames;
    const fetches = { [output]: new Tensor('float32', values, shape) };
    await explained('the model cannot be computed', () => this.#session.run(tensors, fetches));
    return values;
  }

  /** Frees the model. */
  close(): void {
    void this.#session.release();
  }
}

function openOnnxRuntime(): OnnxRuntime {
  try {
    return require('./onnxruntime-node.cjs') as OnnxRuntime;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new OnnxRuntimeMissing(`onnxruntime cannot be loaded: ${reason}`, { cause });
  }
}

async function explained<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new OnnxRuntimeError(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
