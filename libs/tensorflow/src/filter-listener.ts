import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';
import { TensorFlowError } from './errors.js';

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SHUT_RDWR = 2;

// States of /proc/net/tcp.
const LISTEN = '0A';
const openStates = ['01', '08']; // established; closed by the other side

/** Time in which connections of others must end. */
const endMs = 5000;

// linux/filter.h: instructions of classic BPF.
const loadByte = 0x30; // BPF_LD | BPF_B | BPF_ABS
const loadWord = 0x20; // BPF_LD | BPF_W | BPF_ABS
const and = 0x54; // BPF_ALU | BPF_AND | BPF_K
const jumpIfEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const give = 0x06; // BPF_RET | BPF_K
const networkHeader = 0xfff00000; // SKF_NET_OFF
const everything = 0xffffffff;

/** One instruction: code, jump if true, jump if false, operand. */
type Instruction = readonly [number, number, number, number];

const filterProgram = koffi.struct({ len: 'uint16', filter: 'void *' });

/**
 * Makes the kernel drop packets to a listening socket of this process that come from other addresses than these: for a server that
 * listens on all of the machine's addresses, and has no authentication. Later connections inherit the filter; those that others have
 * made since the socket listens are ended. Call it before the server answers requests.
 *
 * @param sources - IPv4 and IPv6 addresses
 * @throws TensorFlowError when no socket of this process listens on the port, or a connection cannot be ended
 */
export async function filterListener(port: number, sources: readonly string[]): Promise<void> {
  attachFilter(socketOf(port), port, sources);
  await endOthers(port, sources);
}

function attachFilter(socket: number, port: number, sources: readonly string[]): void {
  const program = programFor(sources);
  const words = Buffer.alloc(8 * program.length);
  for (const [at, [code, ifTrue, ifFalse, operand]] of program.entries()) {
    words.writeUInt16LE(code, 8 * at);
    words.writeUInt8(ifTrue, 8 * at + 2);
    words.writeUInt8(ifFalse, 8 * at + 3);
    words.writeUInt32LE(operand, 8 * at + 4);
  }
  const setsockopt = koffi
    .load('libc.so.6')
    .func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(filterProgram), 'uint32']);
  const argument = { len: program.length, filter: words };
  const result = setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, argument, koffi.sizeof(filterProgram)) as number;
  if (result !== 0)
    throw new TensorFlowError(`the kernel does not restrict who connects to port ${port}: errno ${koffi.errno()}`);
}

/** Accepts a packet if its source is one of the addresses. Jumps are relative, and at most 255 instructions long. */
function programFor(sources: readonly string[]): Instruction[] {
  const accept: Instruction = [give, 0, 0, everything];
  const drop: Instruction = [give, 0, 0, 0];
  const compare = (words: readonly number[], offset: number): Instruction[] => [
    ...words.flatMap((word, index): Instruction[] => [
      [loadWord, 0, 0, networkHeader + offset + 4 * index],
      [jumpIfEqual, 0, 2 * (words.length - index) - 1, word],
    ]),
    accept,
  ];
  const v4 = sources.filter(isIPv4).flatMap((address) => compare(wordsOf(mappedBytes(address).subarray(12)), 12));
  const v6 = sources
    .filter((address) => !isIPv4(address))
    .flatMap((address) => compare(wordsOf(mappedBytes(address)), 8));
  const isV4: Instruction[] = [
    [loadByte, 0, 0, networkHeader],
    [and, 0, 0, 0xf0],
  ];
  return [
    ...isV4,
    // A long jump needs an instruction of its own (BPF_JA), because conditional jumps have 8 bits.
    [jumpIfEqual, 1, 0, 0x40],
    [0x05, 0, 0, v4.length + 1],
    ...v4,
    drop,
    ...v6,
    drop,
  ];
}

const wordsOf = (bytes: Buffer): number[] =>
  Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32BE(4 * index));

/** The 16 bytes of an address; IPv4 in the last four. */
function mappedBytes(address: string): Buffer {
  const bytes = Buffer.alloc(16);
  if (isIPv4(address)) {
    bytes.set(address.split('.').map(Number), 12);
    return bytes;
  }
  const [plain = ''] = address.split('%');
  const text = plain.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a: string, b: string, c: string, d: string) =>
    [Number(a) * 256 + Number(b), Number(c) * 256 + Number(d)].map((word) => word.toString(16)).join(':'),
  );
  const [head = '', tail] = text.split('::');
  const groups = (part: string): string[] => part.split(':').filter((group) => group !== '');
  const [first, last] = [groups(head), groups(tail ?? '')];
  for (const [index, group] of first.entries()) bytes.writeUInt16BE(parseInt(group, 16), 2 * index);
  for (const [index, group] of last.entries()) bytes.writeUInt16BE(parseInt(group, 16), 16 - 2 * (last.length - index));
  return bytes;
}

/** Ends the connections to a port of this process that come from other addresses. */
async function endOthers(port: number, sources: readonly string[]): Promise<void> {
  const shutdown = koffi.load('libc.so.6').func('shutdown', 'int', ['int', 'int']);
  const isOther = ({ remote, state }: Connection): boolean =>
    openStates.includes(state) && !sources.some((source) => tableForms(source).includes(remote));
  const until = Date.now() + endMs;
  for (;;) {
    const others = connectionsOf(port).filter(isOther);
    if (others.length === 0) return;
    if (Date.now() > until)
      throw new TensorFlowError(`${others.length} connections to port ${port} from other addresses do not end`);
    const inodes = new Set(others.map(({ inode }) => `socket:[${inode}]`));
    for (const descriptor of descriptorsOf(inodes)) shutdown(descriptor, SHUT_RDWR);
    await sleep(10); // the server has yet to accept those without a descriptor
  }
}

/** An address as /proc/net/tcp and tcp6 write it: each 32 bits in the order of the processor. */
function tableForms(address: string): string[] {
  const bytes = mappedBytes(address);
  const hex = (from: number): string => bytes.readUInt32LE(from).toString(16).toUpperCase().padStart(8, '0');
  if (isIPv4(address)) return [hex(12), `0000000000000000FFFF0000${hex(12)}`];
  return [[0, 4, 8, 12].map(hex).join('')];
}

interface Connection {
  /** In the form of `tableForms`, without the port. */
  remote: string;
  state: string;
  inode: string;
}

/** The sockets with that local port. */
function connectionsOf(port: number): Connection[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/self/net/${table}`, 'latin1')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[1]?.endsWith(suffix))
      .map((fields) => ({ remote: fields[2]!.split(':')[0]!, state: fields[3]!, inode: fields[9]! })),
  );
}

/** This process's file descriptors of sockets. @param inodes - such as `socket:[1234]` */
function descriptorsOf(inodes: ReadonlySet<string>): number[] {
  const target = (descriptor: string): string => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return ''; // the descriptor of this very listing is closed by now
    }
  };
  return readdirSync('/proc/self/fd')
    .filter((descriptor) => inodes.has(target(descriptor)))
    .map(Number);
}

/** Whether any process listens on the port, on any address of the machine. */
export const isListenedOn = (port: number): boolean => connectionsOf(port).some(({ state }) => state === LISTEN);

/** The file descriptor of this process's socket that listens on the port. */
function socketOf(port: number): number {
  const listening = connectionsOf(port).filter(({ state }) => state === LISTEN);
  const [found] = descriptorsOf(new Set(listening.map(({ inode }) => `socket:[${inode}]`)));
  if (found === undefined) throw new TensorFlowError(`no socket of this process listens on port ${port}`);
  return found;
}
