import { type Config, type OptimizerName, type OptimizerOptions, optimizerOptions } from '@nautil/config';
import type { Graph, Output, Variable } from '@nautil/tensorflow';

/** `model.optim` without the learning rate, which the schedule alone owns. */
export type OptimizerConfig = Omit<Config['model']['optim'], 'lr' | 'sched'>;

/**
 * An optimizer with PyTorch's arithmetic, built into a graph. It does not depend on the shape of a batch, so one instance
 * serves every compiled step.
 */
export interface Optimizer {
  /** State variables of each weight, such as Adam's moments, with their initial value. */
  readonly slots: readonly { name: string; initial: number }[];

  /** Names of the scalars that `scalars` returns, one placeholder each. */
  readonly inputs: readonly string[];

  /** The scalars of a step. Steps count from 0; t = step + 1 is the papers' count, from 1. */
  scalars(step: number, lr: number): Record<string, number>;

  /** Adds the update of one weight to the graph, and returns the nodes to run. `gradient` is already clipped. */
  update(o: {
    graph: Graph;
    weight: Variable;
    slots: Record<string, Variable>;
    gradient: Output;
    scalar: (name: string) => Output;
  }): Output[];
}

type Arithmetic = ReturnType<typeof arithmeticOf>;

/** Element-wise arithmetic on graph outputs, so that an update reads like its paper. */
function arithmeticOf(graph: Graph) {
  const lift = (x: Output | number): Output =>
    typeof x === 'number' ? graph.constant('float32', [], Float32Array.of(x)) : x;
  const binary = (type: string) => (x: Output | number, y: Output | number) => graph.op(type, [lift(x), lift(y)]);
  const unary = (type: string) => (x: Output) => graph.op(type, [x]);
  return {
    add: binary('AddV2'),
    sub: binary('Sub'),
    mul: binary('Mul'),
    div: binary('RealDiv'),
    max: binary('Maximum'),
    sqrt: unary('Sqrt'),
    square: unary('Square'),
    abs: unary('Abs'),
  };
}

/** torch's coupled weight decay: the gradient of the L2 penalty is added to the gradient. */
const withL2 = (a: Arithmetic, gradient: Output, weight: Output, decay: number): Output =>
  decay === 0 ? gradient : a.add(gradient, a.mul(weight, decay));

type Factory<N extends OptimizerName> = (options: OptimizerOptions<N>) => Optimizer;

/**
 * Adam and AdamW by TensorFlow's fused kernel. The kernel adds epsilon before the bias correction of the second
 * moment, torch after it: feeding ε·√(1-β₂ᵗ) gives torch's numbers.
 */
const adam =
  (decoupled: boolean): Factory<'adam' | 'adamw'> =>
  ({ betas: [beta1, beta2], eps, weight_decay: weightDecay }) => ({
    slots: [
      { name: 'exp_avg', initial: 0 },
      { name: 'exp_avg_sq', initial: 0 },
    ],
    inputs: ['lr', 'beta1_power', 'beta2_power', 'epsilon', 'decay'],
    scalars: (step, lr) => ({
      lr,
      beta1_power: beta1 ** (step + 1),
      beta2_power: beta2 ** (step + 1),
      epsilon: eps * Math.sqrt(1 - beta2 ** (step + 1)),
      decay: lr * weightDecay,
    }),
    update({ graph, weight, slots, gradient, scalar }) {
      const a = arithmeticOf(graph);
      const { exp_avg: m, exp_avg_sq: v } = slots;
      const g = decoupled ? gradient : withL2(a, gradient, weight.read(), weightDecay);
      // AdamW: w ← w - lr·λ·w first, then Adam's step from there (torch.optim.adamw). NOTE: the control input makes the
      // decay wait for the gradient; otherwise the forward pass could read the decayed weight, and the products of all
      // weights would be in memory during the whole step.
      const decay = () => graph.op('Mul', [weight.read(), scalar('decay')], {}, { control: [gradient] });
      const decayed = decoupled && weightDecay !== 0 ? [weight.assignSub(decay())] : [];
      const constant = (x: number) => graph.constant('float32', [], Float32Array.of(x));
      return [
        graph.op(
          'ResourceApplyAdam',
          [
            weight.handle,
            m!.handle,
            v!.handle,
            scalar('beta1_power'),
            scalar('beta2_power'),
            scalar('lr'),
            constant(beta1),
            constant(beta2),
            scalar('epsilon'),
            g,
          ],
          {},
          { control: decayed },
        ),
      ];
    },
  });

const sgd: Factory<'sgd'> = ({ momentum, dampening, nesterov, weight_decay: weightDecay }) => {
  return {
    slots: momentum === 0 ? [] : [{ name: 'momentum_buffer', initial: 0 }],
    inputs: ['lr', 'keep'],
    // torch initialises the buffer with the first gradient, undamped.
    scalars: (step, lr) => ({ lr, keep: step === 0 ? 1 : 1 - dampening }),
    update({ graph, weight, slots, gradient, scalar }) {
      const a = arithmeticOf(graph);
      const g = withL2(a, gradient, weight.read(), weightDecay);
      if (momentum === 0) return [weight.assignSub(a.mul(g, scalar('lr')))];
      const buffer = slots['momentum_buffer']!;
      const next = a.add(a.mul(buffer.read(), momentum), a.mul(g, scalar('keep')));
      const direction = nesterov ? a.add(g, a.mul(next, momentum)) : next;
      return [buffer.assign(next), weight.assignSub(a.mul(direction, scalar('lr')))];
    },
  };
};

const adagrad: Factory<'adagrad'> = ({ lr_decay, initial_accumulator_value, weight_decay: weightDecay, eps }) => ({
  slots: [{ name: 'sum', initial: initial_accumulator_value }],
  inputs: ['lr'],
  scalars: (step, lr) => ({ lr: lr / (1 + step * lr_decay) }),
  update({ graph, weight, slots, gradient, scalar }) {
    const a = arithmeticOf(graph);
    const g = withL2(a, gradient, weight.read(), weightDecay);
    const sum = a.add(slots['sum']!.read(), a.square(g));
    return [slots['sum']!.assign(sum), weight.assignSub(a.div(a.mul(g, scalar('lr')), a.add(a.sqrt(sum), eps)))];
  },
});

const adadelta: Factory<'adadelta'> = ({ rho, weight_decay: weightDecay, eps }) => {
  return {
    slots: [
      { name: 'square_avg', initial: 0 },
      { name: 'acc_delta', initial: 0 },
    ],
    inputs: ['lr'],
    scalars: (_, lr) => ({ lr }),
    update({ graph, weight, slots, gradient, scalar }) {
      const a = arithmeticOf(graph);
      const g = withL2(a, gradient, weight.read(), weightDecay);
      const averaged = (slot: Variable, x: Output) => a.add(a.mul(slot.read(), rho), a.mul(a.square(x), 1 - rho));
      const square = averaged(slots['square_avg']!, g);
      const delta = a.mul(a.div(a.sqrt(a.add(slots['acc_delta']!.read(), eps)), a.sqrt(a.add(square, eps))), g);
      return [
        slots['square_avg']!.assign(square),
        slots['acc_delta']!.assign(averaged(slots['acc_delta']!, delta)),
        weight.assignSub(a.mul(delta, scalar('lr'))),
      ];
    },
  };
};

const adamax: Factory<'adamax'> = ({ betas: [beta1, beta2], weight_decay: weightDecay, eps }) => ({
  slots: [
    { name: 'exp_avg', initial: 0 },
    { name: 'exp_inf', initial: 0 },
  ],
  inputs: ['lr'],
  scalars: (step, lr) => ({ lr: lr / (1 - beta1 ** (step + 1)) }),
  update({ graph, weight, slots, gradient, scalar }) {
    const a = arithmeticOf(graph);
    const g = withL2(a, gradient, weight.read(), weightDecay);
    const m = a.add(a.mul(slots['exp_avg']!.read(), beta1), a.mul(g, 1 - beta1));
    const u = a.max(a.mul(slots['exp_inf']!.read(), beta2), a.add(a.abs(g), eps));
    return [
      slots['exp_avg']!.assign(m),
      slots['exp_inf']!.assign(u),
      weight.assignSub(a.mul(a.div(m, u), scalar('lr'))),
    ];
  },
});

const rmsprop: Factory<'rmsprop'> = ({ alpha, momentum, centered, weight_decay: weightDecay, eps }) => {
  return {
    slots: [
      { name: 'square_avg', initial: 0 },
      ...(centered ? [{ name: 'grad_avg', initial: 0 }] : []),
      ...(momentum > 0 ? [{ name: 'momentum_buffer', initial: 0 }] : []),
    ],
    inputs: ['lr'],
    scalars: (_, lr) => ({ lr }),
    update({ graph, weight, slots, gradient, scalar }) {
      const a = arithmeticOf(graph);
      const g = withL2(a, gradient, weight.read(), weightDecay);
      const averaged = (slot: Variable, x: Output) => a.add(a.mul(slot.read(), alpha), a.mul(x, 1 - alpha));
      const square = averaged(slots['square_avg']!, a.square(g));
      const nodes = [slots['square_avg']!.assign(square)];
      let variance = square;
      if (centered) {
        const mean = averaged(slots['grad_avg']!, g);
        nodes.push(slots['grad_avg']!.assign(mean));
        variance = a.sub(square, a.square(mean));
      }
      let direction = a.div(g, a.add(a.sqrt(variance), eps));
      if (momentum > 0) {
        direction = a.add(a.mul(slots['momentum_buffer']!.read(), momentum), direction);
        nodes.push(slots['momentum_buffer']!.assign(direction));
      }
      return [...nodes, weight.assignSub(a.mul(direction, scalar('lr')))];
    },
  };
};

const factories: { readonly [N in OptimizerName]: Factory<N> } = {
  adam: adam(false),
  adamw: adam(true),
  sgd,
  adagrad,
  adadelta,
  adamax,
  rmsprop,
};

/**
 * The optimizer that `model.optim` names, with PyTorch's numbers. As in NeMo there is one parameter group, so weight decay
 * applies to biases and LayerNorm too.
 */
export function optimizerOf(optim: OptimizerConfig): Optimizer {
  // Each factory takes the options of its own optimizer, which TypeScript cannot relate across the union of names.
  const factory = factories[optim.name] as (options: object) => Optimizer;
  return factory(optimizerOptions(optim));
}
