import protobuf from 'protobufjs';
import { TensorFlowError } from './errors.js';
import { withStatus } from './library.js';
import type { Native, Output, Pointer } from './native.js';

export interface OpOptions {
  /** The node's name, unique in its graph; default: the op's type and a number. */
  name?: string | undefined;
  /** Nodes that must run before this one. */
  control?: readonly Output[];
}

/** A type of op, as TensorFlow's registry describes it. */
export interface OpDefinition {
  readonly inputs: readonly string[];
  /** Index of the input that is a list; -1 for none. No op that is used here has two. */
  readonly listInput: number;
  /** Kind by name, as in `int`, `type`, `list(int)`. */
  readonly attrs: ReadonlyMap<string, string>;
  /** Attributes that TensorFlow infers from the inputs when they are not given. */
  readonly inferred: ReadonlySet<string>;
}

// tensorflow/core/framework/op_def.proto, reduced to the fields that are read here.
const opDef = protobuf
  .parse(
    `syntax = "proto3";
     message Arg { string name = 1; string type_attr = 4; string number_attr = 5; string type_list_attr = 6; }
     message Attr { string name = 1; string type = 2; }
     message OpDef { string name = 1; repeated Arg input_arg = 2; repeated Attr attr = 4; }`,
    { keepCase: true },
  )
  .root.lookupType('OpDef');

interface OpDefMessage {
  input_arg: { name: string; type_attr: string; number_attr: string; type_list_attr: string }[];
  attr: { name: string; type: string }[];
}

const known = new Map<string, OpDefinition>();

/** The definition of an op by its type, cached. Throws when the library has no such op. */
export function opDefinition(native: Native, graph: Pointer, type: string): OpDefinition {
  const found = known.get(type);
  if (found) return found;
  const buffer = native.TF_NewBuffer();
  try {
    withStatus(
      native,
      (status) => native.TF_GraphGetOpDef(graph, type, buffer, status),
      () => `TensorFlow has no op ${type}`,
    );
    const message = opDef.decode(readBuffer(native, buffer)) as unknown as OpDefMessage;
    const definition = {
      inputs: message.input_arg.map((arg) => arg.name),
      listInput: message.input_arg.findIndex((arg) => arg.number_attr || arg.type_list_attr),
      attrs: new Map(message.attr.map((attr) => [attr.name, attr.type])),
      inferred: new Set(
        message.input_arg.flatMap((arg) => [arg.type_attr, arg.number_attr, arg.type_list_attr].filter(Boolean)),
      ),
    };
    known.set(type, definition);
    return definition;
  } finally {
    native.TF_DeleteBuffer(buffer);
  }
}

/** The bytes of a TF_Buffer, a struct of an address and a length. */
function readBuffer(native: Native, buffer: Pointer): Uint8Array {
  const head = new BigUint64Array(2);
  native.memcpy(head, buffer, head.byteLength);
  const bytes = new Uint8Array(Number(head[1]));
  native.memcpy(bytes, head[0]!, bytes.byteLength);
  return bytes;
}

export function unknownAttr(type: string, name: string, definition: OpDefinition): TensorFlowError {
  return new TensorFlowError(
    `${type} has no attribute ${name}; it has ${[...definition.attrs.keys()].join(', ') || 'none'}`,
  );
}
