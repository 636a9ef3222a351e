import { crc32 } from 'node:zlib';

/** Creates a tar archive of the given members without validating them. */
export function rawTar(members: readonly TarEntry[]): Buffer {
  const parts = members.flatMap(({ name, type = '0', content = Buffer.alloc(0), size = content.length, link = '' }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100, 'utf8');
    header.write('0000644\x000000000\x000000000\x00', 100, 'latin1');
    header.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
    header.write('00000000000\0', 136, 'latin1');
    header.write(type, 156, 'latin1');
    header.write(link, 157, 100, 'utf8');
    header.write('ustar\x0000', 257, 'latin1');
    header.fill(0x20, 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export interface TarEntry {
  name: string;
  type?: string;
  content?: Buffer;

  /** The size in the header, if it differs from that of the content. */
  size?: number;
  link?: string;
}

export interface ZipEntry {
  name: string;
  content: Buffer;

  /** Values that replace the correct ones in the central directory. */
  central?: { offset?: number; size?: number; method?: number; flags?: number; checksum?: number };

  /** The name in the local header, if it differs. */
  localName?: string;
}

/** Creates a zip of stored entries. Its directory may contradict the entries. */
export function rawZip(entries: readonly ZipEntry[], end: { entries?: number; offset?: number } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, central = {}, localName = name } of entries) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt32LE(crc32(content), 14);
    local.writeUInt32LE(content.length, 18);
    local.writeUInt32LE(content.length, 22);
    local.writeUInt16LE(localName.length, 26);
    const header = Buffer.alloc(46);
    header.writeUInt32LE(0x02014b50, 0);
    header.writeUInt16LE(central.flags ?? 0, 8);
    header.writeUInt16LE(central.method ?? 0, 10);
    header.writeUInt32LE(central.checksum ?? crc32(content), 16);
    header.writeUInt32LE(central.size ?? content.length, 20);
    header.writeUInt32LE(central.size ?? content.length, 24);
    header.writeUInt16LE(name.length, 28);
    header.writeUInt32LE(central.offset ?? offset, 42);
    const data = [local, Buffer.from(localName), content];
    parts.push(...data);
    directory.push(header, Buffer.from(name));
    offset += data.reduce((sum, part) => sum + part.length, 0);
  }
  const closing = Buffer.alloc(22);
  closing.writeUInt32LE(0x06054b50, 0);
  closing.writeUInt16LE(end.entries ?? entries.length, 10);
  closing.writeUInt32LE(
    directory.reduce((sum, part) => sum + part.length, 0),
    12,
  );
  closing.writeUInt32LE(end.offset ?? offset, 16);
  return Buffer.concat([...parts, ...directory, closing]);
}

/** Creates a file in the format of torch.save with the given pickle and one storage of `storageBytes` bytes. */
export function torchFile(program: Buffer, storageBytes = 16): Buffer {
  return rawZip([
    { name: 'archive/data.pkl', content: program },
    { name: 'archive/data/0', content: Buffer.alloc(storageBytes) },
    { name: 'archive/version', content: Buffer.from('3\n') },
  ]);
}

/** Creates a safetensors file. Its header, a text or a value, may contradict the data and the length that it states. */
export function rawSafetensors(header: unknown, data: Uint8Array = new Uint8Array(0), headerLength?: number): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerLength ?? json.length));
  return Buffer.concat([length, json, data]);
}

/** Instructions of a pickle, joined: strings stand for their characters. */
export function pickle(...parts: (string | number | Buffer)[]): Buffer {
  return Buffer.concat([
    Buffer.of(0x80, 2),
    ...parts.map((part) =>
      typeof part === 'number' ? Buffer.of(part) : typeof part === 'string' ? Buffer.from(part, 'latin1') : part,
    ),
    Buffer.from('.'),
  ]);
}

/** Pushes a short text. */
export const text = (value: string): Buffer =>
  Buffer.concat([Buffer.from('X'), uint32(Buffer.byteLength(value)), Buffer.from(value)]);

/** Pushes an integer below 2^31. */
export const int = (value: number): Buffer => Buffer.concat([Buffer.from('J'), uint32(value)]);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Pushes a float32 tensor that is the described view of storage 0. */
export function tensor(o: { elements: number; offset?: number; shape: number[]; strides: number[] }): Buffer {
  const tuple = (...parts: Buffer[]) => Buffer.concat([Buffer.from('('), ...parts, Buffer.from('t')]);
  return Buffer.concat([
    Buffer.from('ctorch._utils\n_rebuild_tensor_v2\n'),
    Buffer.from('('),
    tuple(text('storage'), Buffer.from('ctorch\nFloatStorage\n'), text('0'), text('cpu'), int(o.elements)),
    Buffer.from('Q'),
    int(o.offset ?? 0),
    tuple(...o.shape.map(int)),
    tuple(...o.strides.map(int)),
    Buffer.from('\x89ccollections\nOrderedDict\n)R', 'latin1'),
    Buffer.from('tR'),
  ]);
}
