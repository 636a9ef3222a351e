import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { ProcessIdentity } from '@nautil/store/process';
import { groupMembers } from '../process-group.js';
import type { HttpAddress } from '../ui-gate.js';

/** The TCP addresses on which a process, or another one of the group that it leads, listens. */
export function listeningAddresses(leader: ProcessIdentity): HttpAddress[] {
  const sockets = new Set(
    groupMembers(leader).flatMap((pid) =>
      readdirSync(`/proc/${pid}/fd`).map((fd) => /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]),
    ),
  );
  const listen = '0A';
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) =>
    readFileSync(table, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === listen && sockets.has(columns[9]))
      .map(([, local = '']) => addressOf(local)),
  );
}

/** @param local - `0100007F:1F90`: the bytes of an IPv4 address in reverse order, and the port */
function addressOf(local: string): HttpAddress {
  const [host = '', port = ''] = local.split(':');
  const bytes = host.match(/../g)?.map((byte) => parseInt(byte, 16)) ?? [];
  // Nautil's servers listen on no IPv6 address but ::1 and ::, which a connection to ::1 reaches.
  return { host: bytes.length === 4 ? bytes.reverse().join('.') : '::1', port: parseInt(port, 16) };
}
