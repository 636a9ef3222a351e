import { setTimeout as sleep } from 'node:timers/promises';
import { type Static, Type } from '@sinclair/typebox';
import { defineError } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { claimAfter, emptyClaim, highestClaim, openClaims } from './numbered-claims.js';
import { hasEnded, pidOf, thisProcess } from './process/process-identity.js';

/** Another live process held a lock for longer than the caller was willing to wait. */
export class LockTimeout extends defineError('LockTimeout', 'environment', { retryable: true }) {}

export interface LockOptions {
  /** How long to wait for a live holder; default 60,000. Infinity waits without limit. */
  timeoutMs?: number;

  /** Ends the waiting. It does not stop work that has started. */
  signal?: AbortSignal | undefined;
}

/** The content of a claim; a released lock has empty content. */
const holder = Type.Object({ process: Type.String(), command: Type.String(), since: Type.String() });
type Holder = Static<typeof holder>;
const parseHolder = jsonParser(holder);

/**
 * Does the work under a lock that excludes other processes and other calls in this process. The lock of a killed process is
 * free at once: its id and start time show that it has ended. The path becomes a small folder that stays.
 *
 * NOTE: the lock is not re-entrant. Taking it again inside the work waits until the time-out.
 *
 * @throws LockTimeout naming the holder
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const number = await takeLock(path, options);
  try {
    return await work();
  } finally {
    await emptyClaim(path, number);
  }
}

async function takeLock(path: string, { timeoutMs = 60_000, signal }: LockOptions): Promise<number> {
  const started = performance.now();
  const me: Holder = {
    process: thisProcess,
    command: process.argv.slice(1).join(' ').slice(0, 200),
    since: new Date().toISOString(),
  };
  await openClaims(path);
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 1.5, 200)) {
    signal?.throwIfAborted();
    const claim = await highestClaim(path);
    const current = holderOf(claim.content, path);
    if (!current || hasEnded(current.process)) {
      if (await claimAfter(path, claim.number, JSON.stringify(me))) return claim.number + 1;
      continue;
    }
    if (performance.now() - started > timeoutMs) {
      throw new LockTimeout(
        `${path}: locked since ${current.since} by process ${pidOf(current.process)} (${current.command}); gave up after ${timeoutMs / 1000} s`,
        {
          hint: `wait for process ${pidOf(current.process)} to finish, or stop it; the lock is free as soon as it has ended`,
        },
      );
    }
    await sleep(waitMs * (0.75 + Math.random() / 2), undefined, { signal });
  }
}

function holderOf(content: string, path: string): Holder | undefined {
  try {
    return parseHolder(content, path);
  } catch {
    return undefined; // released
  }
}
