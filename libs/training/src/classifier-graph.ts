import type { Config } from '@nautil/config';
import { classify, encode, encoderWeights, headWeights, type EncoderConfig, type WeightSpec } from '@nautil/model';
import { Graph, hostTensor, Session, trace, type Feed, type Output, type Variable } from '@nautil/tensorflow';
import type { Batch } from '@nautil/tokenization';
import { optimizerOf, type Optimizer } from './optimizer.js';
import type { NamedArray } from './run-folder.js';

/** The prefix that NeMo gives to the encoder's weights. */
export const encoderPrefix = 'bert_model.';

export interface ClassifierShape {
  encoder: EncoderConfig;
  numClasses: number;
  numOutputLayers: number;
}

/** All weights of a classifier under NeMo's names, encoder first; those with `used: false` are kept in files and never touched. */
export function classifierWeights(shape: ClassifierShape): WeightSpec[] {
  const { hiddenSize } = shape.encoder;
  const { numClasses, numOutputLayers } = shape;
  return [
    ...encoderWeights(shape.encoder).map((spec) => ({ ...spec, name: encoderPrefix + spec.name })),
    ...headWeights({ hiddenSize, numClasses, numOutputLayers }),
  ];
}

/** What training adds to a classifier that only answers. */
export interface TrainingOptions {
  optim: Config['model']['optim'];

  /** `trainer.gradient_clip_val`: largest global norm; 0 is off. */
  clip: number;
  seed: number;

  /** Dropout after the encoder; the encoder's own rates are in its configuration. */
  headDropout: number;
}

export interface ClassifierGraphOptions extends ClassifierShape {
  training?: TrainingOptions;
  precision?: Config['trainer']['precision'];
  intraOpThreads?: number | undefined;

  /** TensorFlow's name, e.g. `/device:GPU:0`; default: where TensorFlow places it. */
  device?: string | undefined;
}

/** Part of an optimizer step: rows of one batch, and what each row's loss counts for in the step's gradient. */
export interface MicroBatch {
  batch: Batch;

  /** [paddedRows]; see `rowWeights`. */
  rowWeights: Float32Array;

  /** Index within the global batch of this part's first row: dropout is drawn by it. */
  rowOffset: number;
}

interface CompiledStep {
  feeds: { ids: Output; mask: Output; labels: Output; weights: Output; rowOffset: Output; step: Output };
  loss: Output;
  gradients: Output[];

  /** The gradients as they are applied where this micro-batch is the whole step. */
  clipped: Output[];
  norm?: Output | undefined;
  targets: Map<GradientUse, Output[]>;
}

interface CompiledForward {
  ids: Output;
  mask: Output;
  logits: Output;
}

/** What becomes of a micro-batch's gradient: applied at once, or kept in the accumulators. */
type GradientUse = 'apply' | 'keep' | 'add';

/**
 * A classifier inside one TensorFlow session: variables that live there, and one compiled graph for each padded
 * shape [rows, length] that was met. Rows of one step may come in several micro-batches.
 */
export class ClassifierGraph {
  /** Every weight, in file order. */
  readonly weights: readonly WeightSpec[];

  readonly #options: ClassifierGraphOptions;
  readonly #graph = new Graph();
  readonly #session: Session;
  readonly #variables = new Map<string, Variable>();
  readonly #reads = new Map<string, Output>();
  readonly #kept = new Map<string, Float32Array>();
  readonly #steps = new Map<string, CompiledStep>();
  readonly #forwards = new Map<string, CompiledForward>();
  readonly #optimizer: Optimizer | undefined;
  readonly #scalars = new Map<string, Output>();
  readonly #assignments = new Map<string, { value: Output; assign: Output }>();
  readonly #slots = new Map<string, { variable: Variable; initial: number }>();
  readonly #accumulators = new Map<string, Variable>();
  #applyKept: { norm?: Output | undefined; targets: Output[] } | undefined;

  constructor(options: ClassifierGraphOptions) {
    this.#options = options;
    this.weights = classifierWeights(options);
    this.#optimizer = options.training && optimizerOf(options.training.optim);
    this.#onDevice(() => {
      for (const { name, shape } of this.#trainable) this.#variables.set(name, this.#graph.variable(name, shape));
      for (const spec of this.#trainable) {
        for (const slot of this.#optimizer?.slots ?? []) {
          const name = `optimizer/${slot.name}/${spec.name}`;
          this.#slots.set(name, { variable: this.#graph.variable(name, spec.shape), initial: slot.initial });
        }
      }
      for (const input of this.#optimizer?.inputs ?? [])
        this.#scalars.set(input, this.#graph.placeholder('float32', []));
    });
    this.#session = new Session(this.#graph, { intraOpThreads: options.intraOpThreads ?? 0 });
  }

  get #trainable(): readonly WeightSpec[] {
    return this.weights.filter((spec) => spec.used);
  }

  /** Number of values that training changes. */
  get trainableParameters(): number {
    return this.#trainable.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  }

  /**
   * Sets weights, and the optimizer's state when `readSlot` gives it; without, the state is that of a new run.
   *
   * @param read - [product of the weight's shape] by NeMo's name; also called for weights that are only kept in files,
   * where undefined means that the file has none.
   */
  async load(
    read: (name: string) => Promise<Float32Array | undefined>,
    readSlot?: (name: string) => Promise<Float32Array>,
  ): Promise<void> {
    for (const spec of this.weights) {
      const value = await read(spec.name);
      if (!spec.used) {
        if (value !== undefined) this.#kept.set(spec.name, value);
      } else if (value === undefined) {
        throw new Error(`no value for the weight ${spec.name}`);
      } else {
        await this.#assign(this.#variables.get(spec.name)!, value);
      }
    }
    for (const [name, { variable, initial }] of this.#slots) {
      await this.#assign(
        variable,
        readSlot ? await readSlot(name) : new Float32Array(sizeOf(variable.shape)).fill(initial),
      );
    }
  }

  /** All weights, as they are now, in file order. */
  async readWeights(): Promise<NamedArray[]> {
    const live = await this.#read([...this.#variables.values()]);
    return this.weights.flatMap(({ name, shape }) => {
      const data = live.get(name) ?? this.#kept.get(name);
      return data === undefined ? [] : [{ name, shape, data }];
    });
  }

  /** The optimizer's state, named `optimizer/<slot>/<weight>`. */
  async readSlots(): Promise<NamedArray[]> {
    const variables = [...this.#slots.values()].map((slot) => slot.variable);
    const live = await this.#read(variables);
    return variables.map(({ name, shape }) => ({ name, shape, data: live.get(name)! }));
  }

  /**
   * One optimizer step.
   *
   * @param parts - the micro-batches whose gradients are summed; at least one.
   * @param o.step - optimizer steps before this one; dropout is drawn by it.
   * @returns `losses`: `sum(rowWeights · nll)` of each part; `gradNorm`: global norm before clipping, when clipping is on.
   */
  async trainStep(
    parts: MicroBatch[],
    o: { step: number; lr: number },
  ): Promise<{ losses: number[]; gradNorm?: number }> {
    const optimizer = this.#optimizer;
    if (optimizer === undefined) throw new Error('this classifier was built without training options');
    const scalars = optimizer.scalars(o.step + 1, o.lr);
    const scalarFeeds = optimizer.inputs.map((name): Feed => [this.#scalars.get(name)!, scalarTensor(scalars[name]!)]);
    const single = parts.length === 1;
    const losses: number[] = [];
    let norm: number | undefined;
    for (const [index, part] of parts.entries()) {
      const compiled = this.#compileStep(part.batch.paddedRows, part.batch.length);
      const targets = this.#targetsOf(compiled, single ? 'apply' : index === 0 ? 'keep' : 'add');
      const fetches = single && compiled.norm ? [compiled.loss, compiled.norm] : [compiled.loss];
      const [loss, gradNorm] = await this.#session.run({
        feeds: [...partFeeds(compiled, part, o.step), ...(single ? scalarFeeds : [])],
        fetches,
        targets,
      });
      losses.push(Number(loss!.data[0]));
      if (gradNorm) norm = Number(gradNorm.data[0]);
    }
    if (!single) {
      const apply = (this.#applyKept ??= this.#compileApplyKept());
      const [gradNorm] = await this.#session.run({
        feeds: scalarFeeds,
        fetches: apply.norm ? [apply.norm] : [],
        targets: apply.targets,
      });
      if (gradNorm) norm = Number(gradNorm.data[0]);
    }
    return norm === undefined ? { losses } : { losses, gradNorm: norm };
  }

  /** Logits without dropout: [paddedRows, numClasses], row-major. */
  async logits(batch: Batch): Promise<Float32Array> {
    const compiled = this.#compileForward(batch.paddedRows, batch.length);
    const shape = [batch.paddedRows, batch.length];
    const [logits] = await this.#session.run({
      feeds: [
        [compiled.ids, hostTensor('int32', shape, batch.ids)],
        [compiled.mask, hostTensor('int32', shape, batch.mask)],
      ],
      fetches: [compiled.logits],
    });
    return logits!.data as Float32Array;
  }

  /** Frees the session with its variables. */
  close(): void {
    this.#session.close();
    this.#graph.close();
  }

  #onDevice<T>(build: () => T): T {
    return this.#options.device === undefined ? build() : this.#graph.onDevice(this.#options.device, build);
  }

  #compileForward(rows: number, length: number): CompiledForward {
    return memo(this.#forwards, `${rows}x${length}`, () =>
      this.#onDevice(() => {
        const ids = this.#graph.placeholder('int32', [rows, length]);
        const mask = this.#graph.placeholder('int32', [rows, length]);
        const { output } = this.#traceLogits(ids, mask);
        return { ids, mask, logits: output };
      }),
    );
  }

  /** Reads every weight once and records the classifier over them. */
  #traceLogits(
    ids: Output,
    mask: Output,
    dropout?: { seed: number; step: Output; rowOffset: Output },
  ): { output: Output; reads: Output[] } {
    const graph = this.#graph;
    const { encoder, numOutputLayers, training, precision } = this.#options;
    const reads = this.#trainable.map(({ name }) => this.#readOf(this.#variables.get(name)!));
    const logits = trace(graph, ({ tensor, output }) => {
      const tensors = Object.fromEntries(
        this.#trainable.map(({ name }, i) => [withoutPrefix(name), tensor(reads[i]!)]),
      );
      const draw = dropout && {
        seed: dropout.seed,
        step: tensor(dropout.step),
        rowOffset: tensor(dropout.rowOffset),
      };
      const first = encode(
        encoder,
        tensors,
        { ids: tensor(ids), mask: tensor(mask) },
        {
          dropout: draw,
          firstTokenOnly: true,
          precision: precision === 'bf16' || precision === 'bf16-mixed' ? 'bfloat16' : 'float32',
        },
      );
      return output(
        classify(tensors, first, { numOutputLayers, dropout: draw && { ...draw, rate: training!.headDropout } }),
      );
    });
    return { output: logits, reads };
  }

  #compileStep(rows: number, length: number): CompiledStep {
    return memo(this.#steps, `${rows}x${length}`, () =>
      this.#onDevice(() => {
        const graph = this.#graph;
        const { seed, clip } = this.#options.training!;
        const feeds = {
          ids: graph.placeholder('int32', [rows, length]),
          mask: graph.placeholder('int32', [rows, length]),
          labels: graph.placeholder('int32', [rows]),
          weights: graph.placeholder('float32', [rows]),
          rowOffset: graph.placeholder('int32', []),
          step: graph.placeholder('int32', []),
        };
        const { output: logits, reads } = this.#traceLogits(feeds.ids, feeds.mask, {
          seed,
          step: feeds.step,
          rowOffset: feeds.rowOffset,
        });
        const loss = trace(graph, ({ tf, tensor, output }) => {
          const truth = tf.oneHot(tensor(feeds.labels), this.#options.numClasses); // [B, C]
          const nll = tf.logSoftmax(tensor(logits)).mul(truth).sum(-1).neg(); // [B]
          return output(nll.mul(tensor(feeds.weights)).sum());
        });
        const gradients = graph.gradients(loss, reads);
        const { gradients: clipped, norm } = this.#clipped(gradients, clip);
        return { feeds, loss, gradients, clipped, norm, targets: new Map() };
      }),
    );
  }

  /** torch's clip_grad_norm_: all gradients times min(1, clip / (norm + 1e-6)). */
  #clipped(gradients: Output[], clip: number): { gradients: Output[]; norm?: Output } {
    if (clip <= 0) return { gradients };
    const graph = this.#graph;
    const constant = (x: number): Output => graph.constant('float32', [], Float32Array.of(x));
    const halves = graph.op('AddN', [gradients.map((g) => graph.op('L2Loss', [g]))]);
    const norm = graph.op('Sqrt', [graph.op('Mul', [halves, constant(2)])]);
    const scale = graph.op('Minimum', [
      constant(1),
      graph.op('RealDiv', [constant(clip), graph.op('AddV2', [norm, constant(1e-6)])]),
    ]);
    return { gradients: gradients.map((g) => graph.op('Mul', [g, scale])), norm };
  }

  #targetsOf(compiled: CompiledStep, use: GradientUse): Output[] {
    return memo(compiled.targets, use, () =>
      this.#onDevice(() => {
        if (use === 'apply') return this.#updates(compiled.clipped);
        return this.#trainable.map((spec, i) => {
          const kept = memo(this.#accumulators, spec.name, () =>
            this.#graph.variable(`gradient/${spec.name}`, spec.shape),
          );
          return use === 'keep' ? kept.assign(compiled.gradients[i]!) : kept.assignAdd(compiled.gradients[i]!);
        });
      }),
    );
  }

  #compileApplyKept(): { norm?: Output | undefined; targets: Output[] } {
    return this.#onDevice(() => {
      const kept = this.#trainable.map(({ name }) => this.#readOf(this.#accumulators.get(name)!));
      const { gradients, norm } = this.#clipped(kept, this.#options.training!.clip);
      return { norm, targets: this.#updates(gradients) };
    });
  }

  #updates(gradients: Output[]): Output[] {
    const optimizer = this.#optimizer!;
    return this.#trainable.flatMap((spec, i) =>
      optimizer.update({
        graph: this.#graph,
        weight: this.#variables.get(spec.name)!,
        slots: Object.fromEntries(
          optimizer.slots.map(({ name }) => [name, this.#slots.get(`optimizer/${name}/${spec.name}`)!.variable]),
        ),
        gradient: gradients[i]!,
        scalar: (name) => this.#scalars.get(name)!,
      }),
    );
  }

  async #assign(variable: Variable, data: Float32Array): Promise<void> {
    const { value, assign } = memo(this.#assignments, variable.name, () =>
      this.#onDevice(() => {
        const value = this.#graph.placeholder('float32', variable.shape);
        return { value, assign: variable.assign(value) };
      }),
    );
    await this.#session.run({ feeds: [[value, hostTensor('float32', variable.shape, data)]], targets: [assign] });
  }

  /** One node for all who read a variable, so that the graph does not grow with every checkpoint. */
  #readOf(variable: Variable): Output {
    return memo(this.#reads, variable.name, () => this.#onDevice(() => variable.read()));
  }

  async #read(variables: Variable[]): Promise<Map<string, Float32Array>> {
    const values = await this.#session.run({ fetches: variables.map((variable) => this.#readOf(variable)) });
    return new Map(variables.map(({ name }, i) => [name, values[i]!.data as Float32Array]));
  }
}

function partFeeds({ feeds }: CompiledStep, { batch, rowWeights, rowOffset }: MicroBatch, step: number): Feed[] {
  const shape = [batch.paddedRows, batch.length];
  return [
    [feeds.ids, hostTensor('int32', shape, batch.ids)],
    [feeds.mask, hostTensor('int32', shape, batch.mask)],
    [feeds.labels, hostTensor('int32', [batch.paddedRows], batch.labels)],
    [feeds.weights, hostTensor('float32', [batch.paddedRows], rowWeights)],
    [feeds.rowOffset, hostTensor('int32', [], Int32Array.of(rowOffset))],
    [feeds.step, hostTensor('int32', [], Int32Array.of(step))],
  ];
}

const scalarTensor = (value: number) => hostTensor('float32', [], Float32Array.of(value));
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const withoutPrefix = (name: string): string =>
  name.startsWith(encoderPrefix) ? name.slice(encoderPrefix.length) : name;

function memo<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
