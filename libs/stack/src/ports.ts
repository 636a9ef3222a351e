import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPortFree } from '@nautil/store/process';
import { PortInUse } from './errors.js';

const closingWaits = 30;
const closingWaitMs = 100;

export interface PortHolder {
  pid: number;
  command: string;
}

/** The process that listens on a local TCP port; undefined when there is none, or when this user may not see it. */
export function portHolder(port: number): PortHolder | undefined {
  const sockets = listeningSockets(port);
  if (sockets.size === 0) return undefined;
  for (const pid of processIds()) {
    if (listOf(`/proc/${pid}/fd`).some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`)))) {
      return { pid, command: textOf(`/proc/${pid}/cmdline`).split('\0').join(' ').trim() };
    }
  }
  return undefined;
}

/** The names (`socket:[inode]`) of the sockets that listen on the port. */
function listeningSockets(port: number): Set<string> {
  const listen = '0A';
  const names = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of textOf(table).split('\n').slice(1)) {
      const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
      if (state === listen && parseInt(local.split(':')[1] ?? '', 16) === port) names.add(`socket:[${inode}]`);
    }
  }
  return names;
}

const processIds = (): number[] => listOf('/proc').map(Number).filter(Number.isInteger);

// Processes come and go while we look, and those of other users cannot be read: both give an empty result.
function listOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

/**
 * Checks that a server can use a port.
 *
 * @throws PortInUse naming the process that holds it and the option that selects another port
 */
export async function requirePort(port: number, server: string, option: string): Promise<void> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new PortInUse(`${port} is not a valid port for ${server}`, {
      hint: `set a port from 1 to 65535 with ${option}`,
    });
  }
  const isFree = (): Promise<boolean> =>
    isPortFree(port).catch((error: unknown) => {
      throw new PortInUse(`port ${port} on 127.0.0.1 cannot be used: ${(error as Error).message}`, { cause: error });
    });
  if (await isFree()) return;
  // The sockets of a process that has just ended are closed a moment later, and have no holder until then.
  for (let waits = 0; waits < closingWaits && portHolder(port) === undefined; waits++) {
    await sleep(closingWaitMs);
    if (await isFree()) return;
  }
  const holder = portHolder(port);
  const by = holder ? `process ${holder.pid} (${holder.command})` : 'another process';
  throw new PortInUse(`port ${port} on 127.0.0.1, which ${server} needs, is in use by ${by}`, {
    hint: `choose another port with ${option}${holder ? `, or stop process ${holder.pid}` : ''}`,
  });
}
