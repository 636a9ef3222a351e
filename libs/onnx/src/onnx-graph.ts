import protobuf from 'protobufjs';
import { OnnxTooLarge } from './errors.js';
import { attributeTypes, dataTypes, fields, graphProto, modelProto, tensorProto } from './model-proto.js';

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

/** protobuf's limit of a message, with room for the header of the model. */
const largestFile = 2 ** 31 - 1024;

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
  readonly #initializers: { name: string; dims: readonly number[]; data_type: number; data: Uint8Array }[] = [];

  /** Whether the graph has only ONNX's own operators, and none of onnxruntime's: other runtimes can then compute it, too. */
  readonly isPortable: boolean;
  #nextValue = 0;

  constructor({ isPortable = false }: { isPortable?: boolean } = {}) {
    this.isPortable = isPortable;
  }

  /** A value that each run feeds. */
  input(name: string, type: OnnxType, shape: readonly Dimension[]): string {
    this.#inputs.push(valueInfo(name, type, shape));
    return name;
  }

  /** Marks a value as a result of the graph. @param name - of the result; default: the value's own */
  output(value: string, type: OnnxType, shape: readonly Dimension[], name = value): void {
    if (name !== value) this.#node('', 'Identity', { inputs: [value], outputs: [name], attributes: {} });
    this.#outputs.push(valueInfo(name, type, shape));
  }

  /** A value that is part of the graph. The array must not change until the session has been created. */
  weight(name: string, shape: readonly number[], values: Values): string {
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#initializers.push({ name, dims: shape, data_type: dataTypes[typeOf(values)], data });
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
    if (this.isPortable) throw new Error(`${type} is not an operator of ONNX`);
    const output = this.#newName(type);
    this.#node(microsoft, type, { inputs, outputs: [output], attributes });
    return output;
  }

  /** Converts each number of a value. */
  cast(x: string, type: OnnxType): string {
    return this.op('Cast', [x], { to: { int: dataTypes[type] } });
  }

  /** The model as onnxruntime's sessions of this process take it. */
  encode(): OnnxModel {
    const weights = this.#initializers.filter(({ data }) => data.length > inlineBytes);
    const initializer = this.#initializers.map(({ data, ...tensor }) => {
      if (data.length <= inlineBytes) return { ...tensor, raw_data: data };
      const external = Object.entries({ location: tensor.name, offset: '0', length: String(data.length) });
      return { ...tensor, data_location: 1, external_data: external.map(([key, value]) => ({ key, value })) };
    });
    const proto = modelProto.encode({ ...this.#header, graph: { ...this.#graph, initializer } }).finish();
    return { proto, weights: weights.map(({ name: path, data }) => ({ path, data })) };
  }

  /**
   * The model as the chunks of a file, whose weights are not copied.
   *
   * @throws OnnxTooLarge above protobuf's limit
   */
  file(): Uint8Array[] {
    const initializers = this.#initializers.map(({ data, ...tensor }) => {
      const head = Buffer.concat([tensorProto.encode(tensor).finish(), prefix(fields.rawData, data.length)]);
      return [prefix(fields.initializer, head.length + data.length), head, data];
    });
    const graph = [graphProto.encode(this.#graph).finish(), ...initializers.flat()];
    const sizeBytes = graph.reduce((size, chunk) => size + chunk.length, 0);
    if (sizeBytes > largestFile)
      throw new OnnxTooLarge(`the model has ${sizeBytes} bytes, and an ONNX file at most ${largestFile}`, {
        hint: '--format safetensors writes a file of any size',
      });
    return [modelProto.encode(this.#header).finish(), prefix(fields.graph, sizeBytes), ...graph];
  }

  get #header() {
    return {
      ir_version: 8,
      producer_name: 'nautil',
      opset_import: [{ domain: '', version: opset }, ...(this.isPortable ? [] : [{ domain: microsoft, version: 1 }])],
    };
  }

  get #graph() {
    return { name: 'nautil', node: this.#nodes, input: this.#inputs, output: this.#outputs };
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

/** A field's number and the length of the bytes after it (protobuf's wire type 2). */
const prefix = (field: number, length: number): Uint8Array =>
  protobuf.Writer.create()
    .uint32((field << 3) | 2)
    .uint32(length)
    .finish();

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
