import { hasEnded, pidOf, type ProcessIdentity } from '@nautil/store/process';
import { nautilHome, writeFileAtomic } from '@nautil/store';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { endGroup, groupMembers } from './process-group.js';

export const serverNames = ['temporal', 'mlflow', 'worker'] as const;
export type ServerName = (typeof serverNames)[number];

/** A process of the local stack that we started and that outlives us, as kept in `stack.json`. */
export interface StackProcess {
  identity: ProcessIdentity;

  /** `host:port` of Temporal, tracking URI of MLflow, task queue of the worker. */
  address: string;

  uiUrl?: string | undefined;
  logFile: string;

  /** ISO 8601. */
  since: string;
}

export type StackRecord = Partial<Record<ServerName, StackProcess>>;

const recordFile = (): string => join(nautilHome(), 'stack.json');

export const stackLock = (): string => join(nautilHome(), 'locks', 'stack');

/** What was started here, ended processes included. */
export function readRecord(): StackRecord {
  try {
    return JSON.parse(readFileSync(recordFile(), 'utf8')) as StackRecord;
  } catch {
    return {}; // never started; a torn file cannot be, since it is written atomically
  }
}

export async function writeRecord(record: StackRecord): Promise<void> {
  await writeFileAtomic(recordFile(), `${JSON.stringify(record, null, 2)}\n`);
}

/** The process of a name when its leader lives. */
export function liveProcess(record: StackRecord, name: ServerName): (StackProcess & { pid: number }) | undefined {
  const found = record[name];
  return found && !hasEnded(found.identity) ? { ...found, pid: pidOf(found.identity) } : undefined;
}

/** Ends a recorded process and what is left of its group; true when something was running. */
export async function endRecorded(record: StackRecord, name: ServerName): Promise<boolean> {
  const found = record[name];
  if (!found) return false;
  const wasRunning = groupMembers(found.identity).length > 0;
  await endGroup(found.identity);
  return wasRunning;
}
