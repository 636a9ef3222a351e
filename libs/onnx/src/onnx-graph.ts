import { attributeTypes, dataTypes, modelProto } from './model-proto.js';

export type OnnxType = keyof typeof dataTypes;

/** The numbers of a weight. */
type Values = Float32Array | Int32Array | BigInt64Array | Int8Array | Uint8Array;

/** A size, or the name of a size that each run determines. */
export type Dimension = number | string;

/** An attribute of a node. A plain number is a float attribute; `int` marks an integer. */
type Attribute = number | { int: number } | { ints: readonly number[] };

type Attributes = Readonly<Record<string, Attribute>>;

export interface OnnxModel {
  /** A serialised ModelProto, without the values of its weights. */
  proto: Uint8Array;

  /** The bytes of each weight, under the name that the model refers to as an external file. */
  weights: { path: string; data: Uint8Array }[];
}

const opset = 17;

/** The operators that onnxruntime adds to ONNX, such as its fused attention. */
const microsoft = 'com.microsoft';

/** Values up to this size are part of the model; larger ones are passed beside it. */
const inlineBytes = 1024;

/**
 * An ONNX graph under construction. Values are referred to by their names.
 *
 * @example
 * const graph = new OnnxGraph();
 * const x = graph.input('x', 'float32', ['rows', 3]);
 * const w = graph.weight('w', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
 * graph.output(graph.op('MatMul', [x, w]), 'float32', ['rows', 2]);
 * const session = await OnnxSession.create(graph.encode());
 */
export class OnnxGraph {
  readonly #nodes: object[] = [];
  readonly #inputs: object[] = [];
  readonly #outputs: object[] = [];
  readonly #initializers: object[] = [];
  readonly #weights: OnnxModel['weights'] = [];
  #nextValue = 0;

  /** A value that each run feeds. */
  input(name: string, type: OnnxType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Marks a value as a result of the graph. */
  output(name: string, type: OnnxType, shape: readonly Dimension[]): void {
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** A value that is part of the graph. The array must not change until the session has been created. */
  weight(name: string, shape: readonly number[], values: Values): string {
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const tensor = { name, dims: shape, data_type: dataTypes[typeOf(values)] };
    if (data.length <= inlineBytes) {
      this.#initializers.push({ ...tensor, raw_data: data });
    } else {
      this.#weights.push({ path: name, data });
      const external_data = Object.entries({ location: name, offset: '0', length: String(data.length) });
      this.#initializers.push({
        ...tensor,
        data_location: 1,
        external_data: external_data.map(([key, value]) => ({ key, value })),
      });
    }
    return name;
  }

  /** A list of integers that is part of the graph, such as a shape or axes. */
  integers(name: string, values: readonly number[]): string {
    return this.weight(name, [values.length], BigInt64Array.from(values.map(BigInt)));
  }

  /** Adds a node of ONNX and returns the name of its only output. An input '' is left out. */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = this.#newName(type);
    this.#node('', type, { inputs, outputs: [output], attributes });
    return output;
  }

  /** Adds a node of an operator that only onnxruntime has. */
  fused(type: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = this.#newName(type);
    this.#node(microsoft, type, { inputs, outputs: [output], attributes });
    return output;
  }

  /** Converts each number of a value. */
  cast(x: string, type: OnnxType): string {
    return this.op('Cast', [x], { to: { int: dataTypes[type] } });
  }

  encode(): OnnxModel {
    const proto = modelProto
      .encode({
        ir_version: 8,
        producer_name: 'nautil',
        opset_import: [
          { domain: '', version: opset },
          { domain: microsoft, version: 1 },
        ],
        graph: {
          name: 'nautil',
          node: this.#nodes,
          initializer: this.#initializers,
          input: this.#inputs,
          output: this.#outputs,
        },
      })
      .finish();
    return { proto, weights: this.#weights };
  }

  #newName(type: string): string {
    return `${type}_${this.#nextValue++}`;
  }

  #node(
    domain: string,
    type: string,
    o: { inputs: readonly string[]; outputs: readonly string[]; attributes: Attributes },
  ): void {
    const attribute = Object.entries(o.attributes).map(([name, value]) => ({ name, ...attributeValue(value) }));
    this.#nodes.push({ name: o.outputs[0], op_type: type, domain, input: o.inputs, output: o.outputs, attribute });
  }
}

function attributeValue(value: Attribute): object {
  if (typeof value === 'number') return { f: value, type: attributeTypes.float };
  return 'int' in value ? { i: value.int, type: attributeTypes.int } : { ints: value.ints, type: attributeTypes.ints };
}

const valueInfo = (name: string, type: OnnxType, shape: readonly Dimension[]): object => ({
  name,
  type: {
    tensor_type: {
      elem_type: dataTypes[type],
      shape: { dim: shape.map((size) => (typeof size === 'number' ? { dim_value: size } : { dim_param: size })) },
    },
  },
});

function typeOf(values: Values): OnnxType {
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Int32Array) return 'int32';
  if (values instanceof BigInt64Array) return 'int64';
  return values instanceof Int8Array ? 'int8' : 'uint8';
}
