import { forwardPass, type ModelShape, type ModelWeights, type NamedArray, requireAllPositions } from '@nautil/model';
import {
  crossEntropy,
  type Feed,
  hostTensor,
  type Output,
  type TensorViews,
  traceGradients,
  type Variable,
} from '@nautil/tensorflow';
import type { Batch } from '@nautil/tokenization';
import { type Optimizer, type OptimizerConfig, optimizerOf } from './optimizer.js';

export interface TrainStepOptions {
  shape: ModelShape;
  optim: OptimizerConfig;

  /** `trainer.gradient_clip_val`: the largest global norm of the gradient; 0: no clipping. */
  clip: number;
  seed: number;

  /** Dropout between encoder and head; the encoder's rates are in its configuration. */
  headDropout: number;
}

/** Part of an optimizer step: rows of one batch, with the weight of each row's loss in the step's gradient. */
export interface MicroBatch {
  batch: Batch;

  /** [size]; see `rowWeights`. */
  rowWeights: Float32Array;

  /** Index of the first row within the whole batch. Dropout depends on it. */
  rowOffset: number;
}

interface Compiled {
  feeds: { ids: Output; mask: Output; labels: Output; weights: Output; rowOffset: Output; step: Output };
  loss: Output;
  gradients: Output[];

  /** Set the accumulated gradients, and add to them. */
  start: () => Output[];
  add: () => Output[];

  /** Applies this micro-batch's gradient alone. */
  apply: () => Update;
}

/** Nodes that update all weights, and the global norm of the gradient when it is clipped. */
interface Update {
  targets: Output[];
  norm?: Output;
}

/**
 * One optimizer step on `ModelWeights`: forward, backward, clipping and update. One graph, whose sizes are free, serves
 * batches of every shape. The gradients of several micro-batches are summed in variables, which exist only once they are needed.
 */
export class TrainStep {
  readonly #weights: ModelWeights;
  readonly #options: TrainStepOptions;
  readonly #optimizer: Optimizer;

  /** The optimizer's inputs: scalars that change with every step, such as the learning rate. */
  readonly #scalars: Map<string, Output>;

  /** The optimizer's state, by `optimizer/<slot>/<weight>`. */
  readonly #slots = new Map<string, { variable: Variable; initial: number }>();
  readonly #compiled = lazy(() => this.#weights.onDevice(() => this.#compile()));
  readonly #sums = lazy(() =>
    this.#weights.used.map(({ name, shape }) => this.#weights.declare(`gradient/${name}`, shape)),
  );
  readonly #applySums = lazy(() => this.#update(this.#sums().map((sum) => this.#weights.readOf(sum))));

  constructor(weights: ModelWeights, options: TrainStepOptions) {
    this.#weights = weights;
    this.#options = options;
    this.#optimizer = optimizerOf(options.optim);
    for (const { name: weight, shape } of weights.used) {
      for (const { name: slot, initial } of this.#optimizer.slots) {
        const name = slotName(slot, weight);
        this.#slots.set(name, { variable: this.#weights.declare(name, shape), initial });
      }
    }
    this.#scalars = weights.onDevice(
      () => new Map(this.#optimizer.inputs.map((input) => [input, weights.graph.placeholder('float32', [])])),
    );
  }

  /** Sets the optimizer's state: from a checkpoint with `read`, otherwise to that of a new run. */
  async loadSlots(read?: (name: string) => Promise<Float32Array>): Promise<void> {
    const slots = [...this.#slots.values()];
    if (read === undefined)
      await this.#weights.fill(new Map(slots.map(({ variable, initial }) => [variable, initial])));
    else
      await this.#weights.assignEach(
        slots.map(({ variable }) => variable),
        ({ name }) => read(name),
      );
  }

  /** The optimizer's state, named `optimizer/<slot>/<weight>`: copies, or with `views` TensorFlow's own memory. */
  async readSlots(views?: TensorViews): Promise<NamedArray[]> {
    const variables = Array.from(this.#slots.values(), (slot) => slot.variable);
    const values = await this.#weights.values(variables, views);
    return variables.map(({ name, shape }) => ({ name, shape, data: values.get(name)! }));
  }

  /**
   * Runs one optimizer step.
   *
   * @param microBatches - at least one; their gradients are summed.
   * @param o.step - number of steps before this one, so the first is 0. Dropout depends on it.
   * @returns `losses`: `sum(rowWeights · nll)` of each micro-batch; `gradNorm`: the global norm before clipping, if enabled.
   */
  async run(
    microBatches: readonly MicroBatch[],
    { step, lr }: { step: number; lr: number },
  ): Promise<{ losses: number[]; gradNorm?: number }> {
    const compiled = this.#compiled();
    const scalars = this.#optimizer.scalars(step, lr);
    for (const { batch } of microBatches) requireAllPositions(this.#options.shape.encoder, batch.length);
    const scalarFeeds = Array.from(this.#scalars, ([name, input]): Feed => [input, scalars[name]!]);
    if (microBatches.length === 1) {
      const [only] = microBatches as [MicroBatch];
      const { targets, norm } = compiled.apply();
      const feeds = [...feedsOf(compiled, only, step), ...scalarFeeds];
      const [loss, gradNorm] = await this.#weights.run({
        feeds,
        fetches: [compiled.loss, ...(norm ? [norm] : [])],
        targets,
      });
      return { losses: [loss![0]!], ...(gradNorm ? { gradNorm: gradNorm[0]! } : {}) };
    }

    // 1) forward and backward: sum the gradients of the micro-batches
    const losses: number[] = [];
    for (const [index, part] of microBatches.entries()) {
      const targets = index === 0 ? compiled.start() : compiled.add();
      const [loss] = await this.#weights.run({
        feeds: feedsOf(compiled, part, step),
        fetches: [compiled.loss],
        targets,
      });
      losses.push(loss![0]!);
    }

    // 2) clip and update
    const { targets, norm } = this.#applySums();
    const [gradNorm] = await this.#weights.run({ feeds: scalarFeeds, fetches: norm ? [norm] : [], targets });
    return { losses, ...(gradNorm ? { gradNorm: gradNorm[0]! } : {}) };
  }

  /** Adds forward and backward pass to the graph. What becomes of the gradients is added on first use. */
  #compile(): Compiled {
    const { graph } = this.#weights;
    const [rows, length] = [graph.freeSize(), graph.freeSize()];
    const { shape, seed, headDropout } = this.#options;
    const feeds = {
      ids: graph.placeholder('int32', [rows, length]),
      mask: graph.placeholder('int32', [rows, length]),
      labels: graph.placeholder('int32', [rows]),
      weights: graph.placeholder('float32', [rows]),
      rowOffset: graph.placeholder('int32', []),
      step: graph.placeholder('int32', []),
    };
    const specs = this.#weights.used;
    const reads = specs.map(({ name }) => this.#weights.readOf(this.#weights.variable(name)));
    const { value: loss, gradients } = traceGradients(graph, reads, ({ tensor }, values) => {
      const logits = forwardPass(specs, values, shape, {
        ids: tensor(feeds.ids),
        mask: tensor(feeds.mask),
        dropout: { seed, step: tensor(feeds.step), rowOffset: tensor(feeds.rowOffset), headRate: headDropout },
      }); // [B, C]
      return crossEntropy(logits, tensor(feeds.labels), tensor(feeds.weights));
    });
    return {
      feeds,
      loss,
      gradients,
      start: lazy(() => this.#weights.onDevice(() => this.#sums().map((sum, i) => sum.assign(gradients[i]!)))),
      add: lazy(() => this.#weights.onDevice(() => this.#sums().map((sum, i) => sum.assignAdd(gradients[i]!)))),
      apply: lazy(() => this.#update(gradients)),
    };
  }

  /** Adds the clipping of the gradients and the update of every weight. */
  #update(gradients: Output[]): Update {
    return this.#weights.onDevice(() => {
      const { clipped, norm } = this.#clip(gradients);
      const targets = this.#weights.used.flatMap(({ name }, i) =>
        this.#optimizer.update({
          graph: this.#weights.graph,
          weight: this.#weights.variable(name),
          slots: Object.fromEntries(
            this.#optimizer.slots.map((slot) => [slot.name, this.#slots.get(slotName(slot.name, name))!.variable]),
          ),
          gradient: clipped[i]!,
          scalar: (input) => this.#scalars.get(input)!,
        }),
      );
      return { targets, ...(norm ? { norm } : {}) };
    });
  }

  /** torch's clip_grad_norm_: multiplies all gradients by min(1, clip / (norm + 1e-6)). */
  #clip(gradients: Output[]): { clipped: Output[]; norm?: Output } {
    const { clip } = this.#options;
    if (clip <= 0) return { clipped: gradients };
    const { graph } = this.#weights;
    const constant = (x: number): Output => graph.constant('float32', [], Float32Array.of(x));
    const halves = graph.op('AddN', [gradients.map((gradient) => graph.op('L2Loss', [gradient]))]);
    const norm = graph.op('Sqrt', [graph.op('Mul', [halves, constant(2)])]);
    const scale = graph.op('Minimum', [
      constant(1),
      graph.op('RealDiv', [constant(clip), graph.op('AddV2', [norm, constant(1e-6)])]),
    ]);
    return { clipped: gradients.map((gradient) => graph.op('Mul', [gradient, scale])), norm };
  }
}

const slotName = (slot: string, weight: string): string => `optimizer/${slot}/${weight}`;

function feedsOf({ feeds }: Compiled, { batch, rowWeights, rowOffset }: MicroBatch, step: number): Feed[] {
  const shape = [batch.size, batch.length];
  return [
    [feeds.ids, hostTensor('int32', shape, batch.ids)],
    [feeds.mask, hostTensor('int32', shape, batch.mask)],
    [feeds.labels, hostTensor('int32', [batch.size], batch.labels)],
    [feeds.weights, hostTensor('float32', [batch.size], rowWeights)],
    [feeds.rowOffset, rowOffset],
    [feeds.step, step],
  ];
}

/** `make`, called on first use. */
function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
