import { CorruptFile, UnsafePickle, UnsupportedFile } from '../errors.js';

/** What a pickle can make here: plain data, and what the allow-list's classes make of plain data. */
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

/** A Python tuple; lists are arrays. */
export class PickleTuple {
  readonly items: readonly PickleValue[];

  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** An object of a class that is known to be harmless data: its name and what was in it. No code of the class is run. */
export class PickleRecord {
  readonly className: string;
  readonly args: readonly PickleValue[];

  /** The object's attributes, or whatever its class stores in their place. */
  state: PickleValue = null;

  constructor(className: string, args: readonly PickleValue[]) {
    this.className = className;
    this.args = args;
  }
}

/** The base of values that only an owner of an allow-list makes, such as tensors. */
export abstract class PickleObject {
  abstract readonly kind: string;
}

/** A class or function on the allow-list; `make` is what a call of it gives. */
export class PickleClass {
  readonly name: string;
  readonly make: (args: readonly PickleValue[]) => PickleValue;

  constructor(name: string, make: (args: readonly PickleValue[]) => PickleValue) {
    this.name = name;
    this.make = make;
  }
}

export interface PickleOptions {
  /** The file, for messages. */
  name: string;

  /** The allow-list: undefined for everything that isn't on it. */
  findClass(module: string, name: string): PickleClass | PickleRecord | undefined;

  /** What a persistent id stands for: torch's storages. */
  load(id: PickleValue): PickleValue;
}

/** More bytes are needed; caught by who can give them. */
export class PickleCutOff extends Error {}

class Mark {}
type StackItem = PickleValue | Mark;

const longestInteger = 256;

// Some thirty instructions make a tensor, so this is a checkpoint of 30,000; each can make an empty dict of 200 bytes.
const mostInstructions = 1_000_000;

/**
 * Runs one pickle and returns its value and where it ends. A pickle is a program for a stack machine that may import
 * and call anything; this machine can only make plain data and call what `findClass` returns. Every instruction adds at
 * most its own operands, and there may be a million, which bounds work and memory. (The value can still be a graph
 * whose paths are many more than its parts: whoever walks it must count.)
 *
 * Instructions are those of protocols 2 to 5 (Python's Lib/pickletools.py describes them).
 */
export function runPickle(bytes: Uint8Array, o: PickleOptions): { value: PickleValue; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const stack: StackItem[] = [];
  const memo = new Map<number, PickleValue>();
  let at = 0;

  const corrupt = (problem: string) => new CorruptFile(o.name, `the pickle ${problem} (before byte ${at})`);
  const take = (count: number): number => {
    if (count > bytes.length - at) throw new PickleCutOff(`${count} bytes are wanted at byte ${at} of ${bytes.length}`);
    at += count;
    return at - count;
  };
  const long64 = (): number => {
    const value = view.getBigUint64(take(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt(`has a string of ${value} bytes`);
    return Number(value);
  };
  const u8 = () => view.getUint8(take(1));
  const u16 = () => view.getUint16(take(2), true);
  const u32 = () => view.getUint32(take(4), true);
  const raw = (count: number) => bytes.slice(take(count), at);
  const utf8 = (count: number) => Buffer.from(bytes.buffer, bytes.byteOffset + take(count), count).toString('utf8');
  const latin1 = (count: number) => Buffer.from(bytes.buffer, bytes.byteOffset + take(count), count).toString('latin1');
  const line = () => {
    const end = bytes.indexOf(0x0a, at);
    if (end < 0) throw new PickleCutOff(`a line at byte ${at} does not end`);
    const text = utf8(end - at);
    at += 1;
    return text;
  };
  const integer = (count: number): number | bigint => {
    if (count > longestInteger) throw corrupt(`has an integer of ${count} bytes`);
    let value = 0n;
    for (const byte of raw(count).reverse()) value = (value << 8n) | BigInt(byte);
    const signed = BigInt.asIntN(count * 8, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  };

  const push = (value: PickleValue) => void stack.push(value);
  const popAny = (): StackItem => {
    const value = stack.pop();
    if (value === undefined) throw corrupt('takes from an empty stack');
    return value;
  };
  const pop = (): PickleValue => {
    const value = popAny();
    if (value instanceof Mark) throw corrupt('takes a mark for a value');
    return value;
  };
  const top = (): PickleValue => {
    const value = pop();
    push(value);
    return value;
  };
  const popToMark = (): PickleValue[] => {
    const mark = stack.findLastIndex((item) => item instanceof Mark);
    if (mark < 0) throw corrupt('has no mark where it needs one');
    const items = stack.splice(mark + 1) as PickleValue[];
    stack.pop();
    return items;
  };
  const popTuple = (count: number) => {
    const items: PickleValue[] = [];
    for (let index = 0; index < count; index += 1) items.unshift(pop());
    push(new PickleTuple(items));
  };
  const setItems = (target: PickleValue, items: PickleValue[]) => {
    if (!(target instanceof Map)) throw corrupt('sets items of something that is not a dict');
    if (items.length % 2 !== 0) throw corrupt('sets an item without a value');
    for (let index = 0; index < items.length; index += 2) target.set(items[index] ?? null, items[index + 1] ?? null);
  };
  const append = (target: PickleValue, items: PickleValue[]) => {
    if (!Array.isArray(target)) throw corrupt('appends to something that is not a list');
    for (const item of items) target.push(item);
  };
  const addItems = (target: PickleValue, items: PickleValue[]) => {
    if (!(target instanceof Set)) throw corrupt('adds to something that is not a set');
    for (const item of items) target.add(item);
  };
  const recall = (index: number) => {
    const value = memo.get(index);
    if (value === undefined) throw corrupt(`recalls entry ${index} of its memo, which is empty`);
    push(value);
  };
  const pushClass = (module: string, name: string) => {
    const found = o.findClass(module, name);
    if (!found) {
      throw new UnsafePickle(
        o.name,
        `the pickle wants ${module}.${name} (byte ${at}), which is not on the list of what a checkpoint needs`,
        {
          hint: 'nothing was executed; if the file comes from someone you trust, save its state_dict alone, or as safetensors',
        },
      );
    }
    push(found);
  };
  const call = (callee: PickleValue, args: readonly PickleValue[]) => {
    if (!(callee instanceof PickleClass))
      throw new UnsafePickle(o.name, `the pickle calls something that is no class (byte ${at})`);
    push(callee.make(args));
  };
  const tupleItems = (value: PickleValue): readonly PickleValue[] => {
    if (!(value instanceof PickleTuple)) throw corrupt('calls with arguments that are not a tuple');
    return value.items;
  };
  const build = (target: PickleValue, state: PickleValue) => {
    // Attributes of an OrderedDict (its _metadata) and of tensors say nothing about the weights.
    if (target instanceof Map || target instanceof PickleObject) return;
    if (!(target instanceof PickleRecord)) throw corrupt('sets the state of plain data');
    target.state = state;
  };

  for (let count = 0; ; count += 1) {
    if (count > mostInstructions) throw corrupt(`has more than ${mostInstructions} instructions`);
    const instruction = u8();
    switch (instruction) {
      case 0x80: {
        // PROTO
        const protocol = u8();
        if (protocol < 2 || protocol > 5)
          throw new UnsupportedFile(o.name, `the pickle is of protocol ${protocol}, not 2 to 5`);
        break;
      }
      case 0x95: // FRAME: a hint for buffering
        take(8);
        break;
      case 0x2e: {
        // STOP
        const value = pop();
        if (stack.length > 0) throw corrupt('ends with values left over');
        return { value, end: at };
      }

      case 0x4e:
        push(null);
        break; // NONE
      case 0x88:
        push(true);
        break; // NEWTRUE
      case 0x89:
        push(false);
        break; // NEWFALSE
      case 0x4b:
        push(u8());
        break; // BININT1
      case 0x4d:
        push(u16());
        break; // BININT2
      case 0x4a:
        push(view.getInt32(take(4), true));
        break; // BININT
      case 0x8a:
        push(integer(u8()));
        break; // LONG1
      case 0x8b:
        push(integer(u32()));
        break; // LONG4
      case 0x47:
        push(view.getFloat64(take(8), false));
        break; // BINFLOAT
      case 0x8c:
        push(utf8(u8()));
        break; // SHORT_BINUNICODE
      case 0x58:
        push(utf8(u32()));
        break; // BINUNICODE
      case 0x8d:
        push(utf8(long64()));
        break; // BINUNICODE8
      case 0x55:
        push(latin1(u8()));
        break; // SHORT_BINSTRING: Python 2's str
      case 0x54:
        push(latin1(u32()));
        break; // BINSTRING
      case 0x43:
        push(raw(u8()));
        break; // SHORT_BINBYTES
      case 0x42:
        push(raw(u32()));
        break; // BINBYTES
      case 0x8e: // BINBYTES8
      case 0x96:
        push(raw(long64()));
        break; // BYTEARRAY8

      case 0x28:
        stack.push(new Mark());
        break; // MARK
      case 0x30:
        popAny();
        break; // POP
      case 0x31:
        popToMark();
        break; // POP_MARK
      case 0x32:
        push(top());
        break; // DUP
      case 0x5d:
        push([]);
        break; // EMPTY_LIST
      case 0x6c:
        push(popToMark());
        break; // LIST
      case 0x7d:
        push(new Map());
        break; // EMPTY_DICT
      case 0x64: {
        // DICT
        const items = popToMark();
        push(new Map());
        setItems(top(), items);
        break;
      }
      case 0x8f:
        push(new Set());
        break; // EMPTY_SET
      case 0x91:
        push(new Set(popToMark()));
        break; // FROZENSET
      case 0x29:
        push(new PickleTuple([]));
        break; // EMPTY_TUPLE
      case 0x74:
        push(new PickleTuple(popToMark()));
        break; // TUPLE
      case 0x85:
        popTuple(1);
        break;
      case 0x86:
        popTuple(2);
        break;
      case 0x87:
        popTuple(3);
        break;

      case 0x61: {
        // APPEND
        const item = pop();
        append(top(), [item]);
        break;
      }
      case 0x65: {
        // APPENDS
        const items = popToMark();
        append(top(), items);
        break;
      }
      case 0x73: {
        // SETITEM
        const value = pop();
        const key = pop();
        setItems(top(), [key, value]);
        break;
      }
      case 0x75: {
        // SETITEMS
        const items = popToMark();
        setItems(top(), items);
        break;
      }
      case 0x90: {
        // ADDITEMS
        const items = popToMark();
        addItems(top(), items);
        break;
      }

      case 0x71:
        memo.set(u8(), top());
        break; // BINPUT
      case 0x72:
        memo.set(u32(), top());
        break; // LONG_BINPUT
      case 0x94:
        memo.set(memo.size, top());
        break; // MEMOIZE
      case 0x68:
        recall(u8());
        break; // BINGET
      case 0x6a:
        recall(u32());
        break; // LONG_BINGET

      case 0x63: {
        // GLOBAL
        const module = line();
        pushClass(module, line());
        break;
      }
      case 0x93: {
        // STACK_GLOBAL
        const name = pop();
        const module = pop();
        if (typeof module !== 'string' || typeof name !== 'string')
          throw corrupt('names a class by something else than strings');
        pushClass(module, name);
        break;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = tupleItems(pop());
        call(pop(), args);
        break;
      }
      case 0x92: {
        // NEWOBJ_EX
        pop(); // Keyword arguments: no class on any list here has some that matter.
        const args = tupleItems(pop());
        call(pop(), args);
        break;
      }
      case 0x62: {
        // BUILD
        const state = pop();
        build(top(), state);
        break;
      }
      case 0x51:
        push(o.load(pop()));
        break; // BINPERSID

      default: {
        const hex = `0x${instruction.toString(16).padStart(2, '0')}`;
        throw corrupt(`has the instruction ${hex}, which no checkpoint needs`);
      }
    }
  }
}
