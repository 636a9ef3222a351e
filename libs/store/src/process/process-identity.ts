import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Identifies one process forever, unlike its id, which the system reuses: `<machine>-<pid>-<start>`, safe in a file name.
 * `machine` encodes the host, the boot and the pid namespace. Thus containers that share a folder do not take each other's
 * processes for dead, and processes from before a reboot count as ended.
 */
export type ProcessIdentity = string;

const textOf = (read: () => string): string => {
  try {
    return read().trim();
  } catch {
    return ''; // not Linux: there is no /proc, so the host name must suffice
  }
};

const digestOf = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

const bootId = textOf(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));

/** The same after each boot. Without a machine id, the boot id must suffice. */
const hostId = textOf(() => readFileSync('/etc/machine-id', 'utf8')) || bootId;
const host = digestOf(`${hostId}\n${hostname()}`, 10);
const boot = digestOf(bootId, 6);
const machine =
  host +
  boot +
  digestOf(
    textOf(() => readlinkSync('/proc/self/ns/pid')),
    6,
  );

/** Start of a process in clock ticks since boot; '0' where the system does not provide it, undefined when it has ended. */
function startOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return process.platform !== 'linux' && acceptsSignals(pid) ? '0' : undefined;
  }
  // The second field is the name of the program in parentheses and may contain anything, so count from its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const zombie = fields[0] === 'Z' || fields[0] === 'X';
  return zombie ? undefined : fields[19];
}

function acceptsSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The identity of a running process; undefined when no such process runs. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const start = startOf(pid);
  return start === undefined ? undefined : `${machine}-${pid}-${start}`;
}

/** The identity of this process. */
export const thisProcess: ProcessIdentity = `${machine}-${process.pid}-${startOf(process.pid) ?? '0'}`;

/** Whether a process ran on this machine since it booted, so that the system still has all that it wrote. */
export const isOfThisBoot = (identity: ProcessIdentity): boolean => identity.startsWith(host + boot);

/** The process id inside an identity. */
export const pidOf = (identity: ProcessIdentity): number => Number(identity.split('-')[1]);

/**
 * Whether a process has certainly ended: it does not exist any more, or this machine was rebooted. A process on another machine
 * or in another container cannot be seen from here and counts as running.
 */
export function hasEnded(identity: ProcessIdentity): boolean {
  const [itsMachine = ''] = identity.split('-');
  if (itsMachine.length === machine.length && itsMachine.startsWith(host) && !itsMachine.startsWith(host + boot))
    return true;
  if (!identity.startsWith(`${machine}-`)) return false;
  return identityOf(pidOf(identity)) !== identity;
}
