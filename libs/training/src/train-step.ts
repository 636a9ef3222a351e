import {
  forwardPass,
  hasSegments,
  type ModelShape,
  type ModelWeights,
  type NamedArray,
  type ReplicatedVariable,
  requireAllPositions,
  segmentsOf,
} from '@nautil/model';
import {
  allReduce,
  crossEntropy,
  type Feed,
  hostTensor,
  type Output,
  scaleGradient,
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

  /** Whether the batches consist of pairs, with `types`. Default false. */
  pairs?: boolean;

  /** XLA compiles forward and backward pass, once for each shape of a micro-batch. Default false. */
  isCompiled?: boolean;
}

/** The scalars of a step, which all processes pass. */
export interface StepScalars {
  /** Number of steps before this one, so the first is 0. Dropout depends on it. */
  step: number;

  /** Number of those steps that updated the weights, which the optimizer counts; default: all. */
  updates?: number;
  lr: number;

  /** Factor of the losses in the backward pass of a model in float16; default 1. Gradients of other models are not scaled. */
  lossScale?: number | undefined;
}

/** The outcome of a step. */
export interface StepOutcome {
  /** `sum(rowWeights · nll)` of each micro-batch that this process computes. */
  losses: number[];

  /** Global norm of the gradient before clipping, if that is enabled and the step is not skipped. */
  gradNorm?: number;

  /** Whether the gradients of a model in float16 are not finite. Weights and optimizer state then keep their values. */
  isSkipped: boolean;
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
  feeds: {
    ids: Output;
    mask: Output;

    /** Absent if the graph has no segments. */
    types: Output | undefined;
    labels: Output;
    weights: Output;
    rowOffset: Output;
    step: Output;
  };
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

/** Nodes that update all weights on all devices. */
interface Update {
  targets: Output[];

  /** Global norm of the gradient, when it is clipped. */
  norm?: Output;

  /** float32: 1 if all gradients are finite, else 0 and the targets have no effect; absent without a loss scale. */
  finite?: Output;
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
 * copy with the same sums, so that all copies keep the same bits. For the same reason, all devices decide alike whether a step is skipped.
 */
export class TrainStep {
  readonly #weights: ModelWeights;
  readonly #options: TrainStepOptions;
  readonly #optimizer: Optimizer;

  /** The optimizer's inputs: scalars that change with every step, such as the learning rate. */
  readonly #scalars: Map<string, Output>;

  /** The factor of the losses; undefined in formats that need none. */
  readonly #lossScale: Output | undefined;

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
    const scalar = (): Output => weights.onDevice(0, () => weights.graph.placeholder('float32', []));
    this.#scalars = new Map(this.#optimizer.inputs.map((input) => [input, scalar()]));
    this.#lossScale = options.shape.precision === 'float16' ? scalar() : undefined;
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

  /** Whether the losses are multiplied by a scale in the backward pass, so that a step can be skipped. */
  get scalesLosses(): boolean {
    return this.#lossScale !== undefined;
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
   */
  async run(
    microBatches: readonly MicroBatch[],
    { step, updates = step, lr, lossScale = 1 }: StepScalars,
  ): Promise<StepOutcome> {
    const compiled = this.#compiled();
    const scalars = this.#optimizer.scalars(updates, lr);
    for (const { batch } of microBatches) requireAllPositions(this.#options.shape.encoder, batch.length);
    const scaleFeed: Feed[] = this.#lossScale ? [[this.#lossScale, lossScale]] : [];
    const updateFeeds = [...Array.from(this.#scalars, ([name, input]): Feed => [input, scalars[name]!]), ...scaleFeed];
    const rounds = roundsOf(microBatches, this.#places, compiled.passes.length, this.#options);
    const only = rounds.length === 1 ? rounds[0]! : undefined;
    if (only) {
      const update = compiled.apply();
      const { losses, values } = await this.#runRound(compiled, only, step, {
        feeds: updateFeeds,
        fetches: fetchesOf(update),
        targets: update.targets,
      });
      return { losses, ...outcomeOf(update, values) };
    }

    // 1) forward and backward: sum the gradients of the micro-batches
    let losses: number[] = [];
    for (const [index, round] of rounds.entries()) {
      const targets = index === 0 ? compiled.start() : compiled.add();
      losses = losses.concat((await this.#runRound(compiled, round, step, { feeds: scaleFeed, targets })).losses);
    }

    // 2) clip and update
    const update = this.#applySums();
    const fetches = fetchesOf(update);
    const values = await this.#weights.run({ feeds: updateFeeds, fetches, targets: update.targets });
    return { losses, ...outcomeOf(update, scalarsOf(values)) };
  }

  /** Runs forward and backward of one micro-batch on each device, and `targets`. Returns the losses, and the values of `fetches`. */
  async #runRound(
    { passes }: Compiled,
    round: readonly Share[],
    step: number,
    { feeds, fetches = [], targets }: { feeds: Feed[]; fetches?: Output[]; targets: Output[] },
  ): Promise<{ losses: number[]; values: number[] }> {
    const values = scalarsOf(
      await this.#weights.run({
        feeds: [...passes.flatMap((pass, device) => this.#feedsOf(pass, round[device]!, step)), ...feeds],
        fetches: [...passes.map(({ loss }) => loss), ...fetches],
        targets,
      }),
    );
    return {
      losses: values.slice(0, passes.length).filter((_, device) => round[device]?.isFiller === false),
      values: values.slice(passes.length),
    };
  }

  #feedsOf({ feeds }: Pass, { batch, rowWeights, rowOffset }: MicroBatch, step: number): Feed[] {
    const shape = [batch.size, batch.length];
    const types = segmentsOf(this.#options.shape.encoder, batch.types);
    return [
      [feeds.ids, hostTensor('int32', shape, batch.ids)],
      [feeds.mask, hostTensor('int32', shape, batch.mask)],
      ...(feeds.types && types ? [[feeds.types, hostTensor('int32', shape, types)] satisfies Feed] : []),
      [feeds.labels, hostTensor('int32', [batch.size], batch.labels)],
      [feeds.weights, hostTensor('float32', [batch.size], rowWeights)],
      [feeds.rowOffset, rowOffset],
      [feeds.step, step],
    ];
  }

  get #places(): DevicePlaces {
    return this.#options.places ?? { offset: 0, total: this.#weights.devices.length };
  }

  /** Calls `build` once for each device, whose nodes XLA compiles only where `build` says so. */
  #onEachDevice<T>(build: (device: number) => T): T[] {
    const weights = this.#weights;
    return weights.onEachDevice((device) =>
      this.#options.isCompiled === true ? weights.graph.withXla(false, () => build(device)) : build(device),
    );
  }

  /** Adds the passes of all devices to the graph. What becomes of the gradients is added on first use. */
  #compile(): Compiled {
    const passes = this.#onEachDevice((device) => this.#passOn(device));
    const gradients = passes.map((pass) => pass.gradients);
    const accumulate = (method: 'assign' | 'assignAdd') =>
      lazy(() =>
        this.#onEachDevice((device) =>
          this.#sums().map(({ copies }, i) => copies[device]![method](gradients[device]![i]!)),
        ).flat(),
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
    const { shape, seed, headDropout, pairs = false } = this.#options;
    const feeds = {
      ids: graph.placeholder('int32', [rows, length]),
      mask: graph.placeholder('int32', [rows, length]),
      types: pairs && hasSegments(shape.encoder) ? graph.placeholder('int32', [rows, length]) : undefined,
      labels: graph.placeholder('int32', [rows]),
      weights: graph.placeholder('float32', [rows]),
      rowOffset: graph.placeholder('int32', []),
      step: graph.placeholder('int32', []),
    };
    const specs = this.#weights.used;
    const reads = specs.map(({ name }) => this.#weights.readOf(this.#weights.variable(name), device));
    const differentiate = (): { value: Output; gradients: Output[] } =>
      traceGradients(graph, reads, ({ tensor }, values) => {
        const logits = forwardPass(specs, values, shape, {
          ids: tensor(feeds.ids),
          mask: tensor(feeds.mask),
          types: feeds.types && tensor(feeds.types),
          dropout: { seed, step: tensor(feeds.step), rowOffset: tensor(feeds.rowOffset), headRate: headDropout },
        }); // [B, C]
        const loss = crossEntropy(logits, tensor(feeds.labels), tensor(feeds.weights));
        return this.#lossScale ? scaleGradient(loss, tensor(this.#lossScale)) : loss;
      });
    const isCompiled = this.#options.isCompiled === true;
    const { value: loss, gradients } = isCompiled ? graph.withXla(true, differentiate) : differentiate();
    return { feeds, loss, gradients };
  }

  /**
   * Adds the sum of the gradients over the devices, the clipping, and the update of every weight on every device.
   *
   * @param gradients - by device
   * @param firstKey - of the collectives
   */
  #update(gradients: readonly Output[][], firstKey: number): Update {
    const sums = this.#sumOverDevices(gradients, firstKey);
    const { graph } = this.#weights;
    const updates = this.#onEachDevice((device): Update => {
      const { gradients: usable, ...checks } = this.#usable(sums[device]!);
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
          gradient: usable[i]!,
          scalar: (input) => this.#scalars.get(input)!,
        }),
      );
      return { targets, ...checks };
    });
    return { ...updates[0]!, targets: updates.flatMap(({ targets }) => targets) };
  }

  /** Adds the sums of the gradients over the devices of all processes. Returns them for each device of this process. */
  #sumOverDevices(gradients: readonly Output[][], firstKey: number): readonly Output[][] {
    const { graph, devices } = this.#weights;
    const { total } = this.#places;
    if (total === 1) return gradients;
    const contributions = devices.map((device, index) => ({ device, values: gradients[index]! }));
    const reduce = (): Output[][] =>
      allReduce(graph, contributions, { group: deviceGroup, size: total, instance: firstKey });
    return this.#options.isCompiled === true ? graph.withXla(false, reduce) : reduce();
  }

  /**
   * Turns the sums of scaled gradients into gradients that update the weights, without the loss scale, and clipped. If a sum is not finite, they have
   * no value, and TensorFlow leaves out all nodes that depend on them.
   */
  #usable(sums: readonly Output[]): { gradients: readonly Output[] } & Pick<Update, 'norm' | 'finite'> {
    const { clip } = this.#options;
    const lossScale = this.#lossScale;
    if (clip <= 0 && !lossScale) return { gradients: sums };
    const { graph } = this.#weights;
    const constant = (x: number): Output => graph.constant('float32', [], Float32Array.of(x));
    const halves = graph.op('AddN', [sums.map((sum) => graph.op('L2Loss', [sum]))]);
    const scaledNorm = graph.op('Sqrt', [graph.op('Mul', [halves, constant(2)])]);
    const unscaled = (x: Output): Output => (lossScale ? graph.op('RealDiv', [x, lossScale]) : x);
    const norm = unscaled(scaledNorm);
    // torch's clip_grad_norm_: multiplies all gradients by min(1, clip / (norm + 1e-6)).
    const clipping = (): Output =>
      graph.op('Minimum', [
        constant(1),
        graph.op('RealDiv', [constant(clip), graph.op('AddV2', [norm, constant(1e-6)])]),
      ]);
    const factor = unscaled(clip > 0 ? clipping() : constant(1));
    const multiplied = (gradients: readonly Output[]): Output[] =>
      gradients.map((gradient) => graph.op('Mul', [gradient, factor]));
    const clippedNorm = clip > 0 ? { norm } : {};
    if (!lossScale) return { gradients: multiplied(sums), ...clippedNorm };
    // The sum of the squares is finite if all values are, up to 10¹⁹: products in float16 end at 65,504.
    const finite = graph.op('IsFinite', [halves]);
    // NOTE: `Switch` itself always runs. Only the nodes after it are left out, so an optimizer may wait for a product, not for this node.
    const live = sums.map((sum) => graph.ops('Switch', [sum, finite])[1]!);
    return {
      gradients: multiplied(live),
      ...clippedNorm,
      finite: graph.op('Cast', [finite], { DstT: 'float32' }),
    };
  }
}

const scalarsOf = (values: readonly Float32Array[]): number[] => values.map((value) => value[0]!);

const fetchesOf = ({ norm, finite }: Update): Output[] => [norm, finite].filter((output) => output !== undefined);

/** @param values - of `fetchesOf` the update */
function outcomeOf({ norm, finite }: Update, values: readonly number[]): Omit<StepOutcome, 'losses'> {
  const isSkipped = finite !== undefined && values.at(-1) === 0;
  return { isSkipped, ...(norm && !isSkipped ? { gradNorm: values[0]! } : {}) };
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
 * @param o.isCompiled - every shape is compiled, so that a filler has the shape of the others
 */
function roundsOf(
  microBatches: readonly MicroBatch[],
  { offset, total }: DevicePlaces,
  devices: number,
  { isCompiled = false }: Pick<TrainStepOptions, 'isCompiled'>,
): Share[][] {
  return Array.from({ length: Math.ceil(microBatches.length / total) }, (_round, round) =>
    Array.from({ length: devices }, (_, device): Share => {
      const microBatch = microBatches[round * total + offset + device];
      if (microBatch) return { ...microBatch, isFiller: false };
      const { batch, rowOffset } = microBatches[round * total]!;
      const rows = isCompiled ? batch.size : 1;
      return { batch: rowsOf(batch, 0, rows), rowWeights: new Float32Array(rows), rowOffset, isFiller: true };
    }),
  );
}

/** `make`, called on first use. */
function lazy<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
