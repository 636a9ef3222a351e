import { hostname } from 'node:os';
import { counted, defaultTaskQueue } from '@nautil/contracts';
import { pidOf, type ProcessIdentity } from '@nautil/store/process';
import { groupMembers } from './process-group.js';
import type { ServerStatus } from './server-status.js';
import { liveProcess, type StackProcess, type StackRecord } from './stack-record.js';
import { readSupervision, type Supervision } from './supervise.js';
import type { TemporalConnection } from './temporal-connection.js';
import { pollersOf } from './temporal-server.js';

/** Time in which a worker is expected to load its code and to poll. */
const startTimeMs = 120_000;

/** Whether a process of the group, such as the worker below its supervisor, polls the task queue. */
export async function isPolledByGroup(
  leader: ProcessIdentity,
  taskQueue: string,
  temporal: TemporalConnection,
): Promise<boolean> {
  const pollers = await pollersOf(taskQueue, temporal);
  return groupMembers(leader).some((pid) => pollers.includes(`${pid}@${hostname()}`));
}

/** The state of the worker. Only the server knows whether its task queue is polled: a live process may do nothing. */
export async function workerStatus(
  record: StackRecord,
  temporal: TemporalConnection,
  isServing: boolean,
): Promise<ServerStatus> {
  const name = 'worker';
  const found = record.worker;
  const live = liveProcess(record, 'worker');
  if (!live) {
    const address = found?.address ?? defaultTaskQueue;
    const isPolled = isServing && (await pollersOf(address, temporal)).length > 0;
    if (isPolled) return { name, state: 'running', ours: false, address };
    return { name, ours: false, address: found?.address ?? '', ...(found ? ended(found) : { state: 'stopped' }) };
  }
  const { address, pid, logFile, since, identity } = live;
  const ours = { name, ours: true, address, pid, logFile, since } as const;
  if (isServing && (await isPolledByGroup(identity, address, temporal))) return { ...ours, state: 'running' };
  const { state, restarts = 0, limit = 0, cause } = supervisionOf(live) ?? {};
  const restart = cause === undefined ? undefined : `restart ${restarts} of ${limit}; it ${cause}`;
  if (state === 'waiting') return { ...ours, state: 'failing', problem: `waits for ${restart}` };
  if (!isServing) {
    const problem = `Temporal does not answer at ${temporal.address}; \`npx nautil up\` starts it, or gives the reason`;
    return { ...ours, state: 'failing', problem };
  }
  if (restart !== undefined) return { ...ours, state: 'starting', problem: restart };
  // A start that lies in the future was before the clock was set back.
  if (Math.abs(Date.now() - Date.parse(since)) < startTimeMs) return { ...ours, state: 'starting' };
  const problem = `it has not polled task queue ${address} for a minute; \`npx nautil up\` replaces it`;
  return { ...ours, state: 'failing', problem };
}

/** The state of a worker that ended by itself: `nautil down` removes it from the record. */
function ended(found: StackProcess): Pick<ServerStatus, 'state' | 'problem' | 'logFile'> {
  const { state, restarts = 0, cause } = supervisionOf(found) ?? {};
  const { logFile } = found;
  if (state !== 'gave-up') {
    const problem = 'it ended without `npx nautil down`; `npx nautil up` starts it again';
    return { state: 'stopped', logFile, problem };
  }
  const problem = `failed after ${counted(restarts, 'restart')}: it ${cause}; \`npx nautil up\` starts it again`;
  return { state: 'failing', logFile, problem };
}

/** What the supervisor of this process has recorded. */
function supervisionOf({ identity }: StackProcess): Supervision | undefined {
  const found = readSupervision();
  return found?.supervisor === pidOf(identity) ? found : undefined;
}
