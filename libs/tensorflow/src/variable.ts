import type { Attrs } from './attrs.js';
import type { DType } from './host-tensor.js';
import type { Output } from './native.js';
import type { OpOptions } from './op-definition.js';

/** `Graph.op` of the variable's graph. */
type AddNode = (type: string, inputs: readonly Output[], attrs: Attrs, options: OpOptions) => Output;

/** A value that a session keeps between runs. Each method adds a node, which takes effect only when it is run. */
export class Variable {
  /** The resource handle, an input of ops such as ResourceApplyAdam. */
  readonly handle: Output;
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly #addNode: AddNode;

  constructor(addNode: AddNode, o: { handle: Output; name: string; shape: readonly number[]; dtype: DType }) {
    this.#addNode = addNode;
    this.handle = o.handle;
    this.name = o.name;
    this.shape = o.shape;
    this.dtype = o.dtype;
  }

  read(o: OpOptions = {}): Output {
    return this.#addNode('ReadVariableOp', [this.handle], { dtype: this.dtype }, o);
  }

  /** Sets the value. The node has no value of its own: use it in `targets` or `control`. */
  assign(value: Output, o: OpOptions = {}): Output {
    return this.#addNode('AssignVariableOp', [this.handle, value], {}, o);
  }

  assignAdd(value: Output, o: OpOptions = {}): Output {
    return this.#addNode('AssignAddVariableOp', [this.handle, value], {}, o);
  }

  assignSub(value: Output, o: OpOptions = {}): Output {
    return this.#addNode('AssignSubVariableOp', [this.handle, value], {}, o);
  }
}
