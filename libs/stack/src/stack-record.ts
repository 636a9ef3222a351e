import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { InvalidJson, jsonParser } from '@nautil/contracts/schemas';
import { writeFileAtomic } from '@nautil/store';
import { nautilHome } from '@nautil/store/folders';
import { hasEnded, pidOf } from '@nautil/store/process';
import { endGroup, groupMembers } from './process-group.js';

export type ServerName = 'temporal' | 'mlflow' | 'worker';

const stackProcess = Type.Object({
  identity: Type.String(),

  /** `host:port` of Temporal, tracking URI of MLflow, task queue of the worker. */
  address: Type.String(),

  uiUrl: Type.Optional(Type.String()),
  logFile: Type.String(),

  /** ISO 8601. */
  since: Type.String(),
});

/** The ports of the last `nautil up`. */
const stackPorts = Type.Object({
  temporal: Type.Integer(),
  temporalUi: Type.Integer(),
  mlflow: Type.Integer(),
});

const stackRecord = Type.Object({
  temporal: Type.Optional(stackProcess),
  mlflow: Type.Optional(stackProcess),
  worker: Type.Optional(stackProcess),

  /** Kept when the servers are stopped, so that later commands and the next start find the same addresses. */
  ports: Type.Optional(stackPorts),
});

/** A process of the local stack that we started and that outlives this program, as stored in `stack.json`. */
export type StackProcess = Static<typeof stackProcess>;

export type StackRecord = Static<typeof stackRecord>;

export type StackPorts = Static<typeof stackPorts>;

const parseRecord = jsonParser(stackRecord);

const recordFile = (): string => join(nautilHome(), 'stack.json');

export const stackLock = (): string => join(nautilHome(), 'locks', 'stack');

/**
 * The processes that were started here, ended ones included; empty when nothing was ever started.
 *
 * @throws InvalidJson when the file is damaged: then we do not know which processes to stop
 */
export function readRecord(): StackRecord {
  const file = recordFile();
  if (!existsSync(file)) return {};
  try {
    return parseRecord(readFileSync(file, 'utf8'), file);
  } catch (error) {
    throw new InvalidJson((error as Error).message, {
      hint: 'stop the servers that this record names, if any run, then delete the file',
      cause: error,
    });
  }
}

export async function writeRecord(record: StackRecord): Promise<void> {
  await writeFileAtomic(recordFile(), `${JSON.stringify(record, null, 2)}\n`);
}

/** The recorded process of a name, if its leader is alive. */
export function liveProcess(record: StackRecord, name: ServerName): (StackProcess & { pid: number }) | undefined {
  const found = record[name];
  return found && !hasEnded(found.identity) ? { ...found, pid: pidOf(found.identity) } : undefined;
}

/** Ends a recorded process and the rest of its group (see `endGroup`); true when any of them was running. */
export async function endRecorded(record: StackRecord, name: ServerName, graceMs?: number): Promise<boolean> {
  const found = record[name];
  if (!found) return false;
  const wasRunning = groupMembers(found.identity).length > 0;
  await endGroup(found.identity, graceMs);
  return wasRunning;
}
