import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, pidOf, type ProcessIdentity } from '@nautil/store/process';

/**
 * The live processes of the group that a process leads. The others may outlive the leader: kill -9 of MLflow leaves its web
 * server on the port.
 */
export function groupMembers(leader: ProcessIdentity): number[] {
  const group = pidOf(leader);
  const now = identityOf(group);
  if (now !== undefined && now !== leader) return []; // another process got the id, so the whole group is gone
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && groupOf(pid) === group);
}

/** Process group id; undefined for a process that has ended, also as a zombie. */
function groupOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : Number(group);
  } catch {
    return undefined;
  }
}

/** Sends a signal to every process of the group. */
export function signalGroup(leader: ProcessIdentity, signal: NodeJS.Signals): void {
  if (groupMembers(leader).length === 0) return;
  try {
    process.kill(-pidOf(leader), signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Ends a process group: SIGTERM, then SIGKILL after the grace time. Resolves when none of its processes is left. */
export async function endGroup(leader: ProcessIdentity, graceMs = 10_000): Promise<void> {
  signalGroup(leader, 'SIGTERM');
  const deadline = performance.now() + graceMs;
  let killed = false;
  while (groupMembers(leader).length > 0) {
    if (!killed && performance.now() >= deadline) {
      signalGroup(leader, 'SIGKILL');
      killed = true;
    }
    await sleep(25);
  }
}
