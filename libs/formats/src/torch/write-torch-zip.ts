import { crc32 } from 'node:zlib';
import { sha256Of } from '@nautil/store';
import { dataBytes, sizeOf } from '../tensor-bytes.js';
import type { TensorDType } from '../tensor-dtype.js';
import type { TensorToWrite } from '../tensor-source.js';

/** The folder inside the zip, which PyTorch derives from the file name: that of NeMo's archives. */
const folder = 'model_weights';

/**
 * Writes a state dict in the format of torch.save since PyTorch 1.6: an OrderedDict that
 * `torch.load(path, weights_only=True)` can read. The same tensors in the same order produce the same bytes. When `data` is a
 * function, it is called only when its tensor is written. The size is computed without reading a tensor, because a tar
 * header precedes its content.
 */
export function torchZip(tensors: Iterable<TensorToWrite>) {
  const list = [...tensors];
  const storages = list.map((tensor, index) => ({
    name: `data/${index}`,
    size: sizeOf(tensor),
    bytes: () => dataBytes(tensor),
  }));
  // PyTorch sorts the names as text, so data/10 precedes data/2.
  storages.sort((a, b) => (a.name < b.name ? -1 : 1));
  const layout = layOut([
    record('data.pkl', stateDictPickle(list)),
    record('byteorder', Buffer.from('little')),
    ...storages,
    record('version', Buffer.from('3\n')),
    { name: '.data/serialization_id', size: serializationIdLength, bytes: (checksums) => serializationId(checksums) },
  ]);
  return { size: layout.size, chunks: () => zipChunks(layout) };
}

interface ZipRecord {
  readonly name: string;
  readonly size: number;
  bytes(checksumsSoFar: readonly number[]): Uint8Array | Promise<Uint8Array>;
}

interface PlacedRecord extends ZipRecord {
  readonly path: Uint8Array;
  readonly offset: number;
  readonly padding: number;
}

interface Layout {
  readonly records: readonly PlacedRecord[];
  readonly directoryOffset: number;
  readonly directorySize: number;
  readonly size: number;
}

const record = (name: string, bytes: Uint8Array): ZipRecord => ({ name, size: bytes.length, bytes: () => bytes });

const localHeaderSize = 30;
const paddingHeaderSize = 4;
const descriptorSize = 16;
const centralHeaderSize = 46;
const zip64ExtraSize = 12;
const endsSize = 56 + 20 + 22;

// PyTorch aligns the data to this many bytes so that it can be memory-mapped.
const alignment = 64;

// Offsets from 4 GiB use zip64 fields. `layOut` rejects entries of that size, which would need further zip64 fields.
const largestField = 0xffffffff;

function layOut(records: readonly ZipRecord[]): Layout {
  const placed: PlacedRecord[] = [];
  let offset = 0;
  let directorySize = 0;
  for (const item of records) {
    if (item.size >= largestField)
      throw new TypeError(`${item.name} of ${item.size} bytes is too large for one entry of a zip file`);
    const path = new TextEncoder().encode(`${folder}/${item.name}`);
    const dataAt = offset + localHeaderSize + path.length + paddingHeaderSize;
    const padding = Math.ceil(dataAt / alignment) * alignment - dataAt;
    placed.push({ ...item, path, offset, padding });
    directorySize += centralHeaderSize + path.length + (offset >= largestField ? zip64ExtraSize : 0);
    offset = dataAt + padding + item.size + descriptorSize;
  }
  return { records: placed, directoryOffset: offset, directorySize, size: offset + directorySize + endsSize };
}

async function* zipChunks({ records, directoryOffset, directorySize }: Layout): AsyncGenerator<Uint8Array> {
  const checksums: number[] = [];
  for (const item of records) {
    yield localHeader(item);
    const bytes = await item.bytes(checksums);
    yield bytes;
    const checksum = crc32(bytes);
    checksums.push(checksum);
    yield fields(['u32', 0x08074b50], ['u32', checksum], ['u32', item.size], ['u32', item.size]);
  }
  yield Buffer.concat(records.map((item, index) => centralHeader(item, checksums[index] ?? 0)));
  yield ends(records.length, directoryOffset, directorySize);
}

// Bit 3: the checksum follows the data; bit 11: names are UTF-8. Versions and the date are zero, as in PyTorch's files.
const flags = 0x0808;

function localHeader({ path, padding }: PlacedRecord): Uint8Array {
  return Buffer.concat([
    fields(['u32', 0x04034b50], ['u16', 0], ['u16', flags], ['u16', 0], ['u32', 0], ['u32', 0], ['u32', 0], ['u32', 0]),
    fields(['u16', path.length], ['u16', paddingHeaderSize + padding]),
    path,
    Buffer.from('FB'),
    fields(['u16', padding]),
    Buffer.alloc(padding, 'Z'),
  ]);
}

function centralHeader({ path, offset, size }: PlacedRecord, checksum: number): Uint8Array {
  const wide = offset >= largestField;
  return Buffer.concat([
    fields(['u32', 0x02014b50], ['u16', 0], ['u16', 0], ['u16', flags], ['u16', 0], ['u32', 0]),
    fields(['u32', checksum], ['u32', size], ['u32', size], ['u16', path.length], ['u16', wide ? zip64ExtraSize : 0]),
    fields(['u16', 0], ['u16', 0], ['u16', 0], ['u32', 0], ['u32', wide ? largestField : offset]),
    path,
    wide ? fields(['u16', 1], ['u16', 8], ['u64', offset]) : new Uint8Array(0),
  ]);
}

/** The zip64 end record, its locator and the plain end record. PyTorch always writes all three. */
function ends(count: number, offset: number, size: number): Uint8Array {
  return Buffer.concat([
    fields(['u32', 0x06064b50], ['u64', 44], ['u16', 0x031e], ['u16', 45], ['u32', 0], ['u32', 0]),
    fields(['u64', count], ['u64', count], ['u64', size], ['u64', offset]),
    fields(['u32', 0x07064b50], ['u32', 0], ['u64', offset + size], ['u32', 1]),
    fields(
      ['u32', 0x06054b50],
      ['u16', 0],
      ['u16', 0],
      ['u16', Math.min(count, 0xffff)],
      ['u16', Math.min(count, 0xffff)],
    ),
    fields(['u32', Math.min(size, largestField)], ['u32', Math.min(offset, largestField)], ['u16', 0]),
  ]);
}

function fields(...values: ['u16' | 'u32' | 'u64', number][]): Uint8Array {
  return Buffer.concat(
    values.map(([type, value]) => {
      const bytes = Buffer.alloc(type === 'u16' ? 2 : type === 'u32' ? 4 : 8);
      if (type === 'u16') bytes.writeUInt16LE(value);
      else if (type === 'u32') bytes.writeUInt32LE(value);
      else bytes.writeBigUInt64LE(BigInt(value));
      return bytes;
    }),
  );
}

const serializationIdLength = 40;

/** PyTorch identifies a file by 40 digits derived from hashes. These digits depend only on the content. */
function serializationId(checksums: readonly number[]): Uint8Array {
  const digits = BigInt(`0x${sha256Of(checksums.join(','))}`)
    .toString()
    .slice(-serializationIdLength);
  return Buffer.from(digits.padStart(serializationIdLength, '0'));
}

const storageClasses: Readonly<Record<TensorDType, string>> = {
  F64: 'DoubleStorage',
  F32: 'FloatStorage',
  F16: 'HalfStorage',
  BF16: 'BFloat16Storage',
  I64: 'LongStorage',
  I32: 'IntStorage',
  I16: 'ShortStorage',
  I8: 'CharStorage',
  U8: 'ByteStorage',
  BOOL: 'BoolStorage',
};

/**
 * `OrderedDict([(name, _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())), …])` in pickle
 * protocol 2, using only instructions that PyTorch's restricted unpickler accepts.
 */
function stateDictPickle(tensors: readonly TensorToWrite[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const memo = new Map<string, number>();
  const put = (...bytes: number[]) => parts.push(Uint8Array.from(bytes));
  const remembered = (key: string, write: () => void) => {
    const index = memo.get(key);
    if (index !== undefined) return put(0x68, index); // BINGET
    write();
    put(0x71, memo.size); // BINPUT
    memo.set(key, memo.size);
  };
  const global = (module: string, name: string) =>
    remembered(`${module} ${name}`, () => parts.push(Buffer.from(`c${module}\n${name}\n`))); // GLOBAL
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    parts.push(Buffer.from('X'), fields(['u32', bytes.length]), bytes); // BINUNICODE
  };
  const integer = (value: number) => {
    if (value < 2 ** 8)
      put(0x4b, value); // BININT1
    else if (value < 2 ** 16)
      parts.push(Buffer.from('M'), fields(['u16', value])); // BININT2
    else if (value < 2 ** 31)
      parts.push(Buffer.from('J'), fields(['u32', value])); // BININT
    else parts.push(Uint8Array.of(0x8a, 8), fields(['u64', value])); // LONG1
  };
  const tuple = (write: () => void) => {
    put(0x28); // MARK
    write();
    put(0x74); // TUPLE
  };
  const emptyOrderedDict = () => {
    global('collections', 'OrderedDict');
    put(0x29, 0x52); // EMPTY_TUPLE REDUCE
  };

  put(0x80, 2); // PROTO
  emptyOrderedDict();
  put(0x28); // MARK
  for (const [index, { name, dtype, shape }] of tensors.entries()) {
    text(name);
    global('torch._utils', '_rebuild_tensor_v2');
    tuple(() => {
      tuple(() => {
        remembered('storage', () => text('storage'));
        global('torch', storageClasses[dtype]);
        text(String(index));
        remembered('cpu', () => text('cpu'));
        integer(shape.reduce((product, dimension) => product * dimension, 1));
      });
      put(0x51); // BINPERSID
      integer(0);
      tuple(() => shape.forEach(integer));
      tuple(() => rowMajorStrides(shape).forEach(integer));
      put(0x89); // NEWFALSE
      emptyOrderedDict();
    });
    put(0x52); // REDUCE
  }
  put(0x75, 0x2e); // SETITEMS STOP
  return Buffer.concat(parts);
}

function rowMajorStrides(shape: readonly number[]): number[] {
  let stride = 1;
  return shape
    .map((_, axis) => {
      const dimension = shape[shape.length - 1 - axis] ?? 1;
      stride *= Math.max(dimension, 1);
      return stride / Math.max(dimension, 1);
    })
    .reverse();
}
