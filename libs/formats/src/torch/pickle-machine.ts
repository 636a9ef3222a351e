import { CorruptFile, UnsafePickle, UnsupportedFile } from '../errors.js';

/** The values that a pickle can produce here: plain data, and what the allow-listed classes make of plain data. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleTuple
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleClass
  | PickleRecord
  | PickleObject;

/** A Python tuple. Python lists are arrays. */
export class PickleTuple {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** An object of a class that is known to be harmless data: the class name and the arguments. The class's code never runs. */
export class PickleRecord {
  readonly className: string;
  readonly args: readonly PickleValue[];

  /** The object's attributes, or whatever its class stores instead. */
  state: PickleValue = null;

  constructor(className: string, args: readonly PickleValue[]) {
    this.className = className;
    this.args = args;
  }
}

/** Base class of values that only the owner of an allow-list creates, such as tensors. */
export abstract class PickleObject {
  abstract readonly kind: string;
}

/** An allow-listed class or function. `make` returns the result of calling it. */
export class PickleClass {
  readonly name: string;
  readonly make: (args: readonly PickleValue[]) => PickleValue;

  constructor(name: string, make: (args: readonly PickleValue[]) => PickleValue) {
    this.name = name;
    this.make = make;
  }
}

export interface PickleOptions {
  /** The file, for error messages. */
  name: string;

  /** The allow-list. Returns undefined for everything that is not on it. */
  findClass(module: string, name: string): PickleClass | PickleRecord | undefined;

  /** Resolves a persistent id; torch uses them for storages. */
  load(id: PickleValue): PickleValue;
}

/** The pickle continues after the given bytes. The caller may retry with more of them. */
export class PickleCutOff extends Error {}

/**
 * Runs one pickle and returns its value and where it ends. A pickle is a program for a stack machine that may import and
 * call anything; this machine can only create plain data and call what `findClass` returns. The number of instructions is
 * bounded, and each adds at most its own operands, which bounds time and memory. (The value may still be a graph with far
 * more paths than nodes, so code that walks it must count its steps.)
 */
export function runPickle(bytes: Uint8Array, o: PickleOptions): { value: PickleValue; end: number } {
  return new PickleMachine(bytes, o).run();
}

const maxIntegerBytes = 256;

// One tensor takes about thirty instructions, so this allows for 30,000 tensors. An instruction can allocate 200 bytes (an
// empty dict).
const maxInstructions = 1_000_000;

const stopOpcode = 0x2e;

/** Marks a position on the stack. */
class Mark {
  readonly isMark = true;
}

class PickleMachine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #options: PickleOptions;
  readonly #stack: (PickleValue | Mark)[] = [];
  readonly #memo = new Map<number, PickleValue>();
  #at = 0;

  constructor(bytes: Uint8Array, options: PickleOptions) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#options = options;
  }

  run(): { value: PickleValue; end: number } {
    for (let count = 0; count <= maxInstructions; count += 1) {
      const opcode = this.u8();
      if (opcode === stopOpcode) {
        const value = this.pop();
        if (this.#stack.length > 0) throw this.corrupt('ends with values left over');
        return { value, end: this.#at };
      }
      const instruction = opcodes[opcode];
      if (instruction === undefined) {
        const hex = `0x${opcode.toString(16).padStart(2, '0')}`;
        throw this.corrupt(`has the instruction ${hex}, which no checkpoint needs`);
      }
      instruction[1](this);
    }
    throw this.corrupt(`has more than ${maxInstructions} instructions`);
  }

  corrupt(problem: string): CorruptFile {
    return new CorruptFile(this.#options.name, `the pickle ${problem} (before byte ${this.#at})`);
  }

  // Operands.

  /** Everything that a pickle states the length of must be in the rest of its bytes. */
  requireBytes(count: number): void {
    if (count > this.#bytes.length - this.#at) {
      throw new PickleCutOff(`${count} bytes are needed at byte ${this.#at} of ${this.#bytes.length}`);
    }
  }

  /** Skips bytes and returns where they start. */
  skip(count: number): number {
    this.requireBytes(count);
    this.#at += count;
    return this.#at - count;
  }

  u8 = (): number => this.#view.getUint8(this.skip(1));
  u16 = (): number => this.#view.getUint16(this.skip(2), true);
  u32 = (): number => this.#view.getUint32(this.skip(4), true);
  i32 = (): number => this.#view.getInt32(this.skip(4), true);

  /** The only big-endian operand. */
  f64 = (): number => this.#view.getFloat64(this.skip(8), false);

  u64(): number {
    const value = this.#view.getBigUint64(this.skip(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.corrupt(`states a length of ${value} bytes`);
    return Number(value);
  }

  /** A little-endian two's complement integer. */
  integer(count: number): number | bigint {
    if (count > maxIntegerBytes) throw this.corrupt(`has an integer of ${count} bytes`);
    let value = 0n;
    for (const byte of this.raw(count).reverse()) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(count * 8, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  raw = (count: number): Uint8Array => new Uint8Array(this.#bytes.subarray(this.skip(count), this.#at));
  utf8 = (count: number): string => this.#text(count, 'utf8');
  latin1 = (count: number): string => this.#text(count, 'latin1');

  #text(count: number, encoding: 'utf8' | 'latin1'): string {
    const start = this.#bytes.byteOffset + this.skip(count);
    return Buffer.from(this.#bytes.buffer, start, count).toString(encoding);
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw new PickleCutOff(`a line at byte ${this.#at} does not end`);
    const text = this.utf8(end - this.#at);
    this.#at += 1;
    return text;
  }

  requireProtocol(protocol: number): void {
    if (protocol >= 2 && protocol <= 5) return;
    throw new UnsupportedFile(this.#options.name, `the pickle is of protocol ${protocol}, not 2 to 5`);
  }

  // The stack.

  push(value: PickleValue): void {
    this.#stack.push(value);
  }

  pushMark(): void {
    this.#stack.push(new Mark());
  }

  discard(): PickleValue | Mark {
    const value = this.#stack.pop();
    if (value === undefined) throw this.corrupt('takes from an empty stack');
    return value;
  }

  pop(): PickleValue {
    const value = this.discard();
    if (value instanceof Mark) throw this.corrupt('takes a mark for a value');
    return value;
  }

  top(): PickleValue {
    const value = this.pop();
    this.push(value);
    return value;
  }

  popToMark(): PickleValue[] {
    const mark = this.#stack.findLastIndex((item) => item instanceof Mark);
    if (mark < 0) throw this.corrupt('has no mark where it needs one');
    // No item after the last mark is a mark.
    const items = this.#stack.splice(mark + 1) as PickleValue[];
    this.#stack.pop();
    return items;
  }

  /** The top values, the deepest first. */
  popValues(count: number): PickleValue[] {
    const values: PickleValue[] = [];
    for (let index = 0; index < count; index += 1) values.unshift(this.pop());
    return values;
  }

  popPair(): [PickleValue, PickleValue] {
    const second = this.pop();
    return [this.pop(), second];
  }

  // Collections.

  pushDict(items: readonly PickleValue[]): void {
    this.push(new Map());
    this.setItems(items);
  }

  setItems(items: readonly PickleValue[]): void {
    const target = this.top();
    if (!(target instanceof Map)) throw this.corrupt('sets items of something that is not a dict');
    if (items.length % 2 !== 0) throw this.corrupt('sets an item without a value');
    for (let index = 0; index < items.length; index += 2) target.set(items[index] ?? null, items[index + 1] ?? null);
  }

  append(items: readonly PickleValue[]): void {
    const target = this.top();
    if (!Array.isArray(target)) throw this.corrupt('appends to something that is not a list');
    for (const item of items) target.push(item);
  }

  addItems(items: readonly PickleValue[]): void {
    const target = this.top();
    if (!(target instanceof Set)) throw this.corrupt('adds to something that is not a set');
    for (const item of items) target.add(item);
  }

  // The memo.

  memoize(index = this.#memo.size): void {
    this.#memo.set(index, this.top());
  }

  recall(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.corrupt(`recalls entry ${index} of its memo, which is empty`);
    this.push(value);
  }

  // Classes and objects.

  pushClass(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') {
      throw this.corrupt('names a class by something else than strings');
    }
    const found = this.#options.findClass(module, name);
    if (!found) {
      const problem = `the pickle tries to import ${module}.${name} (byte ${this.#at}), which is not on the allow-list`;
      throw new UnsafePickle(this.#options.name, problem, {
        hint: 'nothing was executed; if you trust the author of the file, save only its state_dict, or use safetensors',
      });
    }
    this.push(found);
  }

  /** Calls the class under the arguments on the stack. */
  call(): void {
    const args = this.pop();
    if (!(args instanceof PickleTuple)) throw this.corrupt('calls with arguments that are not a tuple');
    const callee = this.pop();
    if (!(callee instanceof PickleClass)) {
      throw new UnsafePickle(this.#options.name, `the pickle calls something that is not a class (byte ${this.#at})`);
    }
    this.push(callee.make(args.items));
  }

  /** Discards the keyword arguments: no allow-listed class has any that affect the weights. */
  callIgnoringKeywords(): void {
    this.pop();
    this.call();
  }

  /** Sets the state of the object under the state on the stack. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    // The attributes of an OrderedDict (its _metadata) and of a tensor do not affect the weights.
    if (target instanceof Map || target instanceof PickleObject) return;
    if (!(target instanceof PickleRecord)) throw this.corrupt('sets the state of plain data');
    target.state = state;
  }

  pushPersistent(): void {
    this.push(this.#options.load(this.pop()));
  }
}

type Instruction = (machine: PickleMachine) => void;

/** The instructions of protocols 2 to 5 that checkpoints use; Python's Lib/pickletools.py describes all. STOP is in `run`. */
const opcodes: Readonly<Record<number, readonly [name: string, run: Instruction]>> = {
  0x80: ['PROTO', (m) => m.requireProtocol(m.u8())],
  0x95: ['FRAME', (m) => m.requireBytes(m.u64())], // A hint for buffering, which other readers rely on.

  0x4e: ['NONE', (m) => m.push(null)],
  0x88: ['NEWTRUE', (m) => m.push(true)],
  0x89: ['NEWFALSE', (m) => m.push(false)],
  0x4b: ['BININT1', (m) => m.push(m.u8())],
  0x4d: ['BININT2', (m) => m.push(m.u16())],
  0x4a: ['BININT', (m) => m.push(m.i32())],
  0x8a: ['LONG1', (m) => m.push(m.integer(m.u8()))],
  0x8b: ['LONG4', (m) => m.push(m.integer(m.u32()))],
  0x47: ['BINFLOAT', (m) => m.push(m.f64())],

  0x8c: ['SHORT_BINUNICODE', (m) => m.push(m.utf8(m.u8()))],
  0x58: ['BINUNICODE', (m) => m.push(m.utf8(m.u32()))],
  0x8d: ['BINUNICODE8', (m) => m.push(m.utf8(m.u64()))],
  0x55: ['SHORT_BINSTRING', (m) => m.push(m.latin1(m.u8()))], // Python 2's str.
  0x54: ['BINSTRING', (m) => m.push(m.latin1(m.u32()))],
  0x43: ['SHORT_BINBYTES', (m) => m.push(m.raw(m.u8()))],
  0x42: ['BINBYTES', (m) => m.push(m.raw(m.u32()))],
  0x8e: ['BINBYTES8', (m) => m.push(m.raw(m.u64()))],
  0x96: ['BYTEARRAY8', (m) => m.push(m.raw(m.u64()))],

  0x28: ['MARK', (m) => m.pushMark()],
  0x30: ['POP', (m) => m.discard()],
  0x31: ['POP_MARK', (m) => m.popToMark()],
  0x32: ['DUP', (m) => m.push(m.top())],

  0x5d: ['EMPTY_LIST', (m) => m.push([])],
  0x6c: ['LIST', (m) => m.push(m.popToMark())],
  0x61: ['APPEND', (m) => m.append([m.pop()])],
  0x65: ['APPENDS', (m) => m.append(m.popToMark())],
  0x7d: ['EMPTY_DICT', (m) => m.push(new Map())],
  0x64: ['DICT', (m) => m.pushDict(m.popToMark())],
  0x73: ['SETITEM', (m) => m.setItems(m.popPair())],
  0x75: ['SETITEMS', (m) => m.setItems(m.popToMark())],
  0x8f: ['EMPTY_SET', (m) => m.push(new Set())],
  0x90: ['ADDITEMS', (m) => m.addItems(m.popToMark())],
  0x91: ['FROZENSET', (m) => m.push(new Set(m.popToMark()))],
  0x29: ['EMPTY_TUPLE', (m) => m.push(new PickleTuple([]))],
  0x74: ['TUPLE', (m) => m.push(new PickleTuple(m.popToMark()))],
  0x85: ['TUPLE1', (m) => m.push(new PickleTuple(m.popValues(1)))],
  0x86: ['TUPLE2', (m) => m.push(new PickleTuple(m.popValues(2)))],
  0x87: ['TUPLE3', (m) => m.push(new PickleTuple(m.popValues(3)))],

  0x71: ['BINPUT', (m) => m.memoize(m.u8())],
  0x72: ['LONG_BINPUT', (m) => m.memoize(m.u32())],
  0x94: ['MEMOIZE', (m) => m.memoize()],
  0x68: ['BINGET', (m) => m.recall(m.u8())],
  0x6a: ['LONG_BINGET', (m) => m.recall(m.u32())],

  0x63: ['GLOBAL', (m) => m.pushClass(m.line(), m.line())],
  0x93: ['STACK_GLOBAL', (m) => m.pushClass(...m.popPair())],
  0x52: ['REDUCE', (m) => m.call()],
  0x81: ['NEWOBJ', (m) => m.call()],
  0x92: ['NEWOBJ_EX', (m) => m.callIgnoringKeywords()],
  0x62: ['BUILD', (m) => m.build()],
  0x51: ['BINPERSID', (m) => m.pushPersistent()],
};
