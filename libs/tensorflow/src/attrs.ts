import { TensorFlowError } from './errors.js';
import { type DType, dtypeCodes, type HostTensor } from './host-tensor.js';
import { withStatus } from './library.js';
import type { Native, Pointer } from './native.js';
import { toNative } from './native-tensor.js';
import { type OpDefinition, unknownAttr } from './op-definition.js';

/** An attribute's value. The op's definition decides its kind: `'float32'` is a string or a type, for example. */
export type Attr = boolean | number | bigint | string | HostTensor | readonly number[] | readonly string[];

/** Attributes of an op by name. TensorFlow infers those that follow from the inputs (`T`, `N`). */
export type Attrs = Readonly<Record<string, Attr>>;

/** Sets `attrs` on an operation description. */
export function setAttrs(
  native: Native,
  description: Pointer,
  type: string,
  attrs: Attrs,
  definition: OpDefinition,
): void {
  for (const [name, value] of Object.entries(attrs)) {
    const kind = definition.attrs.get(name);
    if (kind === undefined) throw unknownAttr(type, name, definition);
    const set = setters[kind];
    if (!set?.(native, description, name, value)) {
      throw new TensorFlowError(`${type}: the attribute ${name} is of kind ${kind} and cannot be ${print(value)}`);
    }
  }
}

type Setter = (native: Native, description: Pointer, name: string, value: Attr) => boolean;

const isNumbers = (value: Attr): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'number');
const isStrings = (value: Attr): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
const isInt = (value: Attr): value is number | bigint => typeof value === 'bigint' || Number.isInteger(value);
const typeCode = (value: unknown): number | undefined =>
  typeof value === 'string' && Object.hasOwn(dtypeCodes, value) ? dtypeCodes[value as DType] : undefined;
const longs = (values: readonly number[]): BigInt64Array | null =>
  values.length ? BigInt64Array.from(values, BigInt) : null;

const setters: Readonly<Record<string, Setter>> = {
  bool(native, description, name, value) {
    if (typeof value !== 'boolean') return false;
    native.TF_SetAttrBool(description, name, value ? 1 : 0);
    return true;
  },
  int(native, description, name, value) {
    if (!isInt(value)) return false;
    native.TF_SetAttrInt(description, name, value);
    return true;
  },
  float(native, description, name, value) {
    if (typeof value !== 'number') return false;
    native.TF_SetAttrFloat(description, name, value);
    return true;
  },
  string(native, description, name, value) {
    if (typeof value !== 'string') return false;
    const bytes = new TextEncoder().encode(value);
    native.TF_SetAttrString(description, name, bytes.length ? bytes : null, bytes.length);
    return true;
  },
  type(native, description, name, value) {
    const code = typeCode(value);
    if (code === undefined) return false;
    native.TF_SetAttrType(description, name, code);
    return true;
  },
  shape(native, description, name, value) {
    if (!isNumbers(value)) return false;
    native.TF_SetAttrShape(description, name, longs(value), value.length);
    return true;
  },
  tensor(native, description, name, value) {
    if (typeof value !== 'object' || !('data' in value)) return false;
    const tensor = toNative(native, value);
    try {
      withStatus(native, (status) => native.TF_SetAttrTensor(description, name, tensor, status));
    } finally {
      native.TF_DeleteTensor(tensor);
    }
    return true;
  },
  'list(int)'(native, description, name, value) {
    if (!isNumbers(value)) return false;
    native.TF_SetAttrIntList(description, name, longs(value), value.length);
    return true;
  },
  'list(float)'(native, description, name, value) {
    if (!isNumbers(value)) return false;
    native.TF_SetAttrFloatList(description, name, value.length ? Float32Array.from(value) : null, value.length);
    return true;
  },
  'list(string)'(native, description, name, value) {
    if (!isStrings(value)) return false;
    const lengths = BigUint64Array.from(value, (text) => BigInt(Buffer.byteLength(text)));
    native.TF_SetAttrStringList(description, name, value, value.length ? lengths : null, value.length);
    return true;
  },
  'list(type)'(native, description, name, value) {
    if (!Array.isArray(value)) return false;
    const codes = value.map(typeCode);
    if (codes.includes(undefined)) return false;
    native.TF_SetAttrTypeList(
      description,
      name,
      codes.length ? Int32Array.from(codes as number[]) : null,
      codes.length,
    );
    return true;
  },
};

const print = (value: Attr): string =>
  typeof value === 'object' && 'data' in value
    ? 'a tensor'
    : JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item));
