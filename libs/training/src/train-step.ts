import {
  forwardPass,
  type ModelShape,
  type ModelWeights,
  type NamedArray,
  type ReplicatedVariable,
  requireAllPositions,
} from '@nautil/model';
import {
  allReduce,
  crossEntropy,
  type Feed,
  hostTensor,
  type Output,
  type TensorViews,
  traceGradients,
} from '@nautil/tensorflow';
import type { Batch } from '@nautil/tokenization';
import { type Optimizer, type OptimizerConfig, optimizerOf } from './optimizer.js';
import { rowsOf } from './rows-of.js';

export interface TrainStepOptions {
  shape: ModelShape;
  optim: OptimizerConfig;

  /** `trainer.gradient_clip_val`: the largest global norm of the gradient; 0: no clipping. */
  clip: number;
  seed: number;

  /** Dropout between encoder and head; the encoder's rates are in its configuration. */
  headDropout: number;

  /** The devices of all processes that train together; default: those of the weights. */
  places?: DevicePlaces | undefined;
}

/** The place of this process's devices among those of all processes. */
export interface DevicePlaces {
  /** Number of devices before this process's. */
  offset: number;

  /** Number of devices of all processes. */
  total: number;
}

/** Part of an optimizer step: rows of one batch, with the weight of each row's loss in the step's gradient. */
export interface MicroBatch {
  batch: Batch;

  /** [size]; see `rowWeights`. */
  rowWeights: Float32Array;

  /** Index of the first row within the whole batch. Dropout depends on it. */
  rowOffset: number;
}

/** Forward and backward pass on one device. */
interface Pass {
  feeds: { ids: Output; mask: Output; labels: Output; weights: Output; rowOffset: Output; step: Output };
  loss: Output;

  /** In the order of `ModelWeights.used`. */
  gradients: Output[];
}

interface Compiled {
  /** By device. */
  passes: Pass[];

  /** Set the accumulated gradients of all devices, and add to them. */
  start: () => Output[];
  add: () => Output[];

  /** Applies the gradients of one micro-batch on each device. */
  apply: () => Update;
}

/** Nodes that update all weights on all devices, and the global norm of the gradient when it is clipped. */
interface Update {
  targets: Output[];
  norm?: Output;
}

/** Key of the group of all devices. */
export const deviceGroup = 1;

/** Keys of TensorFlow's collectives, for the gradients of single micro-batches and for accumulated ones. */
const firstKeys = { single: 1, accumulated: 100_001 };

/**
 * One optimizer step on `ModelWeights`: forward, backward, clipping and update. One graph, whose sizes are free, serves
 * batches of every shape. The gradients of several micro-batches are summed in variables, which exist only once they are needed.
 *
 * Each device computes with its own copy of the weights. The gradients are summed over the devices, and each device updates its
 * copy with the same sums, so that all copies keep the same bits.
 */
export class TrainStep {
  readonly #weights: ModelWeights;
  readonly #options: TrainStepOptions;
  readonly #optimizer: Optimizer;

  /** The optimizer's inputs: scalars that change with every step, such as the learning rate. */
  readonly #scalars: Map<string, Output>;

  /** The optimizer's state, by `optimizer/<slot>/<weight>`. */
  readonly #slots = new Map<string, { variable: ReplicatedVariable; initial: number }>();
  readonly #compiled = lazy(() => this.#compile());
  readonly #sums = lazy(() =>
    this.#weights.used.map(({ name, shape }) => this.#weights.declare(`gradient/${name}`, shape)),
  );
  readonly #applySums = lazy(() =>
    this.#update(
      this.#weights.devices.map((_, device) => this.#sums().map((sum) => this.#weights.readOf(sum, device))),
      firstKeys.accumulated,
    ),
  );

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
      0,
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

  /** The variables of the optimizer's state. */
  get slots(): ReplicatedVariable[] {
    return Array.from(this.#slots.values(), ({ variable }) => variable);
  }

  /** The optimizer's state, named `optimizer/<slot>/<weight>`: copies, or with `views` TensorFlow's own memory. */
  async readSlots(views?: TensorViews): Promise<NamedArray[]> {
    const variables = Array.from(this.#slots.values(), (slot) => slot.variable);
    const values = await this.#weights.values(variables, views);
    return variables.map(({ name, shape }) => ({ name, shape, data: values.get(name)! }));
  }

  /**
   * Runs one optimizer step. Each device computes one micro-batch at a time; with several processes, all of them pass the same
   * micro-batches, and each computes its own.
   *
   * @param microBatches - at least one; their gradients are summed.
   * @param o.step - number of steps before this one, so the first is 0. Dropout depends on it.
   * @returns `losses`: `sum(rowWeights · nll)` of each micro-batch that this process computes; `gradNorm`: the global norm before clipping, if
   * enabled.
   */
  async run(
    microBatches: readonly MicroBatch[],
    { step, lr }: { step: number; lr: number },
  ): Promise<{ losses: number[]; gradNorm?: number }> {
    const compiled = this.#compiled();
    const scalars = this.#optimizer.scalars(step, lr);
    for (const { batch } of microBatches) requireAllPositions(this.#options.shape.encoder, batch.length);
    const scalarFeeds = Array.from(this.#scalars, ([name, input]): Feed => [input, scalars[name]!]);
    const rounds = roundsOf(microBatches, this.#places, compiled.passes.length);
    const only = rounds.length === 1 ? rounds[0]! : undefined;
    if (only) {
      const { targets, norm } = compiled.apply();
      const { gradNorm, losses } = await this.#runRound(compiled, only, step, { scalarFeeds, norm, targets });
      return { losses, ...(gradNorm === undefined ? {} : { gradNorm }) };
    }

    // 1) forward and backward: sum the gradients of the micro-batches
    let losses: number[] = [];
    for (const [index, round] of rounds.entries()) {
      const targets = index === 0 ? compiled.start() : compiled.add();
      losses = losses.concat((await this.#runRound(compiled, round, step, { targets })).losses);
    }

    // 2) clip and update
    const { targets, norm } = this.#applySums();
    const [gradNorm] = await this.#weights.run({ feeds: scalarFeeds, fetches: norm ? [norm] : [], targets });
    return { losses, ...(gradNorm ? { gradNorm: gradNorm[0]! } : {}) };
  }

  /** Runs forward and backward of one micro-batch on each device, and `targets`. */
  async #runRound(
    { passes }: Compiled,
    round: readonly Share[],
    step: number,
    { scalarFeeds = [], norm, targets }: { scalarFeeds?: Feed[]; norm?: Output | undefined; targets: Output[] },
  ): Promise<{ losses: number[]; gradNorm: number | undefined }> {
    const values = await this.#weights.run({
      feeds: [...passes.flatMap((pass, device) => feedsOf(pass, round[device]!, step)), ...scalarFeeds],
      fetches: [...passes.map(({ loss }) => loss), ...(norm ? [norm] : [])],
      targets,
    });
    const scalars = values.map((value) => value[0]!);
    return {
      losses: scalars.filter((_, device) => round[device]?.isFiller === false),
      gradNorm: scalars[passes.length],
    };
  }

  get #places(): DevicePlaces {
    return this.#options.places ?? { offset: 0, total: this.#weights.devices.length };
  }

  /** Adds the passes of all devices to the graph. What becomes of the gradients is added on first use. */
  #compile(): Compiled {
    const passes = this.#weights.onEachDevice((device) => this.#passOn(device));
    const gradients = passes.map((pass) => pass.gradients);
    const accumulate = (method: 'assign' | 'assignAdd') =>
      lazy(() =>
        this.#weights
          .onEachDevice((device) =>
            this.#sums().map(({ copies }, i) => copies[device]![method](gradients[device]![i]!)),
          )
          .flat(),
      );
    return {
      passes,
      start: accumulate('assign'),
      add: accumulate('assignAdd'),
      apply: lazy(() => this.#update(gradients, firstKeys.single)),
    };
  }

  /** Adds forward and backward pass to the graph, on the device of that index. */
  #passOn(device: number): Pass {
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
    const reads = specs.map(({ name }) => this.#weights.readOf(this.#weights.variable(name), device));
    const { value: loss, gradients } = traceGradients(graph, reads, ({ tensor }, values) => {
      const logits = forwardPass(specs, values, shape, {
        ids: tensor(feeds.ids),
        mask: tensor(feeds.mask),
        dropout: { seed, step: tensor(feeds.step), rowOffset: tensor(feeds.rowOffset), headRate: headDropout },
      }); // [B, C]
      return crossEntropy(logits, tensor(feeds.labels), tensor(feeds.weights));
    });
    return { feeds, loss, gradients };
  }

  /**
   * Adds the sum of the gradients over the devices, the clipping, and the update of every weight on every device.
   *
   * @param gradients - by device
   * @param firstKey - of the collectives
   */
  #update(gradients: readonly Output[][], firstKey: number): Update {
    const { graph, devices } = this.#weights;
    const { total } = this.#places;
    const sums =
      total === 1
        ? gradients
        : allReduce(
            graph,
            devices.map((device, index) => ({ device, values: gradients[index]! })),
            { group: deviceGroup, size: total, instance: firstKey },
          );
    const updates = this.#weights.onEachDevice((device): Update => {
      const { clipped, norm } = this.#clip(sums[device]!);
      const targets = this.#weights.used.flatMap(({ name }, i) =>
        this.#optimizer.update({
          graph,
          weight: this.#weights.variable(name).copies[device]!,
          slots: Object.fromEntries(
            this.#optimizer.slots.map((slot) => [
              slot.name,
              this.#slots.get(slotName(slot.name, name))!.variable.copies[device]!,
            ]),
          ),
          gradient: clipped[i]!,
          scalar: (input) => this.#scalars.get(input)!,
        }),
      );
      return { targets, ...(norm ? { norm } : {}) };
    });
    return { ...updates[0]!, targets: updates.flatMap(({ targets }) => targets) };
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

/** What a device computes in a round. */
interface Share extends MicroBatch {
  /** Whether the loss has no weight, because there is no micro-batch for the device: every device takes part in the sum of the gradients. */
  isFiller: boolean;
}

/**
 * The micro-batches in rounds of one for each device of all processes, of which the shares of this process's devices.
 *
 * @param devices - number of this process's devices
 */
function roundsOf(microBatches: readonly MicroBatch[], { offset, total }: DevicePlaces, devices: number): Share[][] {
  return Array.from({ length: Math.ceil(microBatches.length / total) }, (_round, round) =>
    Array.from({ length: devices }, (_, device): Share => {
      const microBatch = microBatches[round * total + offset + device];
      if (microBatch) return { ...microBatch, isFiller: false };
      const { batch, rowOffset } = microBatches[round * total]!;
      return { batch: rowsOf(batch, 0, 1), rowWeights: new Float32Array(1), rowOffset, isFiller: true };
    }),
  );
}

function feedsOf({ feeds }: Pass, { batch, rowWeights, rowOffset }: MicroBatch, step: number): Feed[] {
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
