import type { DType } from './host-tensor.js';
import type { Graph, OpOptions } from './graph.js';
import type { Output } from './native.js';

/** A value that stays in a session from run to run. Each method adds a node; nothing happens until it is run. */
export class Variable {
  /** The resource, as ops like ResourceApplyAdam take it. */
  readonly handle: Output;
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly #graph: Graph;

  constructor(graph: Graph, o: { handle: Output; name: string; shape: readonly number[]; dtype: DType }) {
    this.#graph = graph;
    this.handle = o.handle;
    this.name = o.name;
    this.shape = o.shape;
    this.dtype = o.dtype;
  }

  read(o: OpOptions = {}): Output {
    return this.#graph.op('ReadVariableOp', [this.handle], { dtype: this.dtype }, o);
  }

  /** Sets the value; the result has no value of its own and is for `targets` and `control`. */
  assign(value: Output, o: OpOptions = {}): Output {
    return this.#graph.op('AssignVariableOp', [this.handle, value], {}, o);
  }

  assignAdd(value: Output, o: OpOptions = {}): Output {
    return this.#graph.op('AssignAddVariableOp', [this.handle, value], {}, o);
  }

  assignSub(value: Output, o: OpOptions = {}): Output {
    return this.#graph.op('AssignSubVariableOp', [this.handle, value], {}, o);
  }
}
