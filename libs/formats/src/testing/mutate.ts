import { crc32 } from 'node:zlib';

/** Returns an integer from 0 to `below` - 1 (mulberry32). The same seed gives the same sequence. */
export type Random = (below: number) => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Returns a copy with one to three faults, most of them in the structure of the file. */
export function mutate(original: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(original);
  const faults = 1 + random(3);
  for (let fault = 0; fault < faults && bytes.length > 0; fault += 1) {
    bytes = mutations[random(mutations.length)]!(bytes, placeIn(bytes, random), random);
  }
  // Checksums would hide most faults from the code behind them.
  if (random(4) > 0) repairChecksums(bytes);
  return bytes;
}

type Mutation = (bytes: Buffer, at: number, random: Random) => Buffer;

const boundaries32 = [0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
const boundaries64 = [0n, 1n, 1n << 31n, 1n << 32n, (1n << 53n) - 1n, 1n << 53n, 1n << 62n, (1n << 64n) - 1n];

const flipBit: Mutation = (bytes, at, random) => {
  bytes[at] = bytes[at]! ^ (1 << random(8));
  return bytes;
};
const setByte: Mutation = (bytes, at, random) => {
  bytes[at] = random(256);
  return bytes;
};

const mutations: readonly Mutation[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  (bytes, at, random) => {
    if (at + 4 <= bytes.length) bytes.writeUInt32LE(boundaries32[random(boundaries32.length)]!, at);
    return bytes;
  },
  (bytes, at, random) => {
    if (at + 8 <= bytes.length) bytes.writeBigUInt64LE(boundaries64[random(boundaries64.length)]!, at);
    return bytes;
  },
  // Replaces a digit by another: sizes in JSON and in tar headers are text.
  (bytes, at, random) => {
    const digit = bytes.subarray(at, at + 2000).findIndex((byte) => byte >= 0x30 && byte <= 0x39);
    if (digit >= 0) bytes[at + digit] = 0x30 + random(10);
    return bytes;
  },
  (bytes, at, random) => bytes.fill(random(2) === 0 ? 0 : 0xff, at, Math.min(bytes.length, at + 1 + random(64))),
  (bytes, at, random) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(600))]),
  (bytes, at, random) => {
    const from = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + 1 + random(600)), bytes.subarray(at)]);
  },
  (bytes, at, random) => {
    const from = random(bytes.length);
    bytes.copyWithin(at, from, Math.min(bytes.length, from + 1 + random(200)));
    return bytes;
  },
  (bytes, at, random) => bytes.subarray(0, random(3) === 0 ? at : bytes.length),
];

function placeIn(bytes: Buffer, random: Random): number {
  const near = (start: number, size: number) => Math.min(bytes.length - 1, Math.max(0, start) + random(size));
  const choice = random(8);
  if (choice < 2) return near(0, 1200);
  if (choice < 4) return near(bytes.length - 6000, 6000);
  const pickle = choice < 7 ? picklePlace(bytes) : undefined;
  return pickle ? near(pickle.start, pickle.size) : random(bytes.length);
}

interface PicklePlace {
  start: number;
  size: number;

  /** Where the zip directory keeps its checksum; undefined for the stream form. */
  checksumAt?: number;
}

/** Finds the pickle of a torch file, in the file itself or inside an archive. */
function picklePlace(bytes: Buffer): PicklePlace | undefined {
  const stream = bytes.indexOf(Buffer.from([0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46]));
  if (stream >= 0 && stream < 4) return { start: 0, size: Math.min(bytes.length, 16_000) };
  const localName = bytes.indexOf('data.pkl');
  const centralName = bytes.lastIndexOf('data.pkl');
  const local = bytes.lastIndexOf('PK\x03\x04', localName);
  const central = bytes.lastIndexOf('PK\x01\x02', centralName);
  if (local < 0 || central <= local || central + 46 > bytes.length) return undefined;
  const start = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const size = bytes.readUInt32LE(central + 24);
  return size > 0 && start + size <= bytes.length ? { start, size, checksumAt: central + 16 } : undefined;
}

function repairChecksums(bytes: Buffer): void {
  const pickle = picklePlace(bytes);
  if (pickle?.checksumAt !== undefined) {
    const { start, size, checksumAt } = pickle;
    bytes.writeUInt32LE(crc32(bytes.subarray(start, start + size)), checksumAt);
  }
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    if (bytes.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    bytes.fill(0x20, at + 148, at + 156);
    const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  }
}
