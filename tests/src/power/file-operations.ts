import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What a program did to the files of a folder, in order. Paths are absolute. */
export type FileOperation =
  | { do: 'open'; path: string; fd: number; creates: boolean; truncates: boolean; appends: boolean }
  | { do: 'write'; fd: number; data: Buffer; at?: number }
  | { do: 'truncate'; fd: number; size: number }
  | { do: 'sync'; fd: number }
  | { do: 'mkdir' | 'unlink' | 'rmdir'; path: string }
  | { do: 'rename' | 'link'; from: string; to: string }
  | { do: 'mark'; text: string };

/** A line on standard output that begins with it is a `mark` operation. */
export const markPrefix = '@mark ';

// The names of system calls:
// cspell:ignore creat fallocate linkat mkdirat openat pwrite pwritev renameat symlinkat unlinkat REMOVEDIR
const calls =
  'openat,open,creat,close,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range,' +
  'mkdir,mkdirat,unlink,unlinkat,rmdir,rename,renameat,renameat2,link,linkat,symlink,symlinkat,' +
  'copy_file_range,sendfile,clone,clone3';

/** Whether this machine lets us trace a program. */
export function canTrace(): boolean {
  return spawnSync('strace', ['-f', '-e', 'trace=fsync', 'true']).status === 0;
}

/** Runs a program of Node.js and records its file operations below a folder. @throws for an operation that is not modelled */
export async function recordOperations(args: readonly string[], below: string): Promise<FileOperation[]> {
  const traces = mkdtempSync(join(tmpdir(), 'nautil-strace-'));
  try {
    const options = ['-ff', '-ttt', '-xx', '-s', '10000000', '-e', `trace=${calls}`, '-o', join(traces, 'trace')];
    const env = { ...process.env, NODE_OPTIONS: '', UV_USE_IO_URING: '0' };
    await promisify(execFile)('strace', [...options, process.execPath, ...args], { env, maxBuffer: 1 << 26 });
    return operationsIn(traces, below);
  } finally {
    rmSync(traces, { recursive: true });
  }
}

interface Call {
  seconds: number;
  name: string;
  text: string;
  result: number;
}

/** There is a file of calls for each thread; only the threads of the first process count, because fds are those of a process. */
function operationsIn(traces: string, below: string): FileOperation[] {
  const threads = new Map(
    readdirSync(traces).map((name) => [
      Number(name.split('.').at(-1)),
      callsIn(readFileSync(join(traces, name), 'latin1')),
    ]),
  );
  const ofProcess = [Math.min(...threads.keys())];
  for (const thread of ofProcess)
    for (const { name, text, result } of threads.get(thread) ?? [])
      if (name.startsWith('clone') && text.includes('CLONE_THREAD') && result > 0) ofProcess.push(result);
  const ordered = ofProcess.flatMap((thread) => threads.get(thread) ?? []).sort((a, b) => a.seconds - b.seconds);

  const tracked = new Set<number>();
  return ordered.flatMap((call) => operationOf(call, below, tracked) ?? []);
}

function callsIn(trace: string): Call[] {
  return trace.split('\n').flatMap((line) => {
    const found = /^(\d+\.\d+) (\w+)\((.*)\)\s+= (-?\d+)/.exec(line);
    if (!found) return [];
    const [, seconds, name = '', text = '', result] = found;
    return [{ seconds: Number(seconds), name, text, result: Number(result) }];
  });
}

/** @param tracked - open files below the folder */
function operationOf({ name, text, result }: Call, below: string, tracked: Set<number>): FileOperation | undefined {
  if (result < 0) return undefined;
  const strings = [...text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) =>
    Buffer.from(hex.replaceAll('\\x', ''), 'hex'),
  );
  const paths = strings.map(String);
  const [path = '', to = ''] = paths;
  const fd = Number(/^\d+/.exec(text)?.[0] ?? -1);
  const isBelow = paths.some((each) => each === below || each.startsWith(`${below}/`));

  switch (name) {
    case 'openat':
    case 'open': {
      if (!isBelow) {
        tracked.delete(result);
        return undefined;
      }
      tracked.add(result);
      const has = (flag: string): boolean => text.includes(flag);
      const flags = { creates: has('O_CREAT'), truncates: has('O_TRUNC'), appends: has('O_APPEND') };
      return { do: 'open', path, fd: result, ...flags };
    }
    case 'close':
      tracked.delete(fd);
      return undefined;
    case 'write':
    case 'writev':
    case 'pwrite64':
    case 'pwritev': {
      const data = Buffer.concat(strings).subarray(0, result);
      if (fd === 1 && data.toString().startsWith(markPrefix))
        return { do: 'mark', text: data.toString().slice(markPrefix.length).trim() };
      if (!tracked.has(fd)) return undefined;
      const at = name.startsWith('p') ? Number(/(\d+)$/.exec(text)?.[1]) : undefined;
      return { do: 'write', fd, data, ...(at === undefined ? {} : { at }) };
    }
    case 'ftruncate':
      return tracked.has(fd) ? { do: 'truncate', fd, size: Number(/(\d+)$/.exec(text)?.[1]) } : undefined;
    case 'fsync':
    case 'fdatasync':
      return tracked.has(fd) ? { do: 'sync', fd } : undefined;
    case 'mkdir':
    case 'mkdirat':
      return isBelow ? { do: 'mkdir', path } : undefined;
    case 'rmdir':
    case 'unlink':
    case 'unlinkat':
      return isBelow ? { do: name === 'rmdir' || text.includes('AT_REMOVEDIR') ? 'rmdir' : 'unlink', path } : undefined;
    case 'rename':
    case 'renameat':
    case 'renameat2':
    case 'link':
    case 'linkat':
      return isBelow ? { do: name.startsWith('link') ? 'link' : 'rename', from: path, to } : undefined;
    case 'clone':
    case 'clone3':
      return undefined;
    default:
      if (isBelow || tracked.has(fd)) throw new Error(`${name} is not modelled: ${text.slice(0, 200)}`);
      return undefined;
  }
}
