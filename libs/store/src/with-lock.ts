import { defineError } from '@nautil/contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { claimAfter, highestClaim, openClaims } from './numbered-claims.js';
import { hasEnded, pidOf, thisProcess, type ProcessIdentity } from './process/process-identity.js';
import { writeFileAtomic } from './write-file-atomic.js';
import { join } from 'node:path';

/** Another live process held a lock for longer than the caller would wait. */
export class LockTimeout extends defineError('LockTimeout', 'environment', { retryable: true }) {}

export interface LockOptions {
  /** How long to wait for a live holder; default 60,000. Infinity waits for good. */
  timeoutMs?: number;

  /** Ends the waiting; work that has begun is not touched. */
  signal?: AbortSignal | undefined;
}

/** Empty content is a lock that was given back. */
interface Holder {
  process: ProcessIdentity;
  command: string;
  since: string;
}

/**
 * Does the work while no other process (and no other call in this one) is inside a lock of the same path. A holder that was
 * killed is noticed by process id and start time and loses the lock at once. The path becomes a small folder that stays.
 *
 * NOTE: not re-entrant: taking a lock inside itself waits for the time-out.
 *
 * @throws LockTimeout naming the holder.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const number = await takeLock(path, options);
  try {
    return await work();
  } finally {
    await writeFileAtomic(join(path, String(number).padStart(12, '0')), '');
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
    const holder = parseHolder(claim.content);
    if (!holder || hasEnded(holder.process)) {
      if (await claimAfter(path, claim.number, JSON.stringify(me))) return claim.number + 1;
      continue;
    }
    if (performance.now() - started > timeoutMs) {
      throw new LockTimeout(
        `${path}: locked since ${holder.since} by process ${pidOf(holder.process)} (${holder.command}); gave up after ${timeoutMs / 1000} s`,
        {
          hint: `wait for process ${pidOf(holder.process)} to finish, or end it; the lock of an ended process is free at once`,
        },
      );
    }
    await sleep(waitMs * (0.75 + Math.random() / 2), undefined, { signal });
  }
}

function parseHolder(content: string): Holder | undefined {
  try {
    const holder = JSON.parse(content) as Partial<Holder> | null;
    if (typeof holder?.process !== 'string') return undefined;
    return { process: holder.process, command: holder.command ?? '', since: holder.since ?? '' };
  } catch {
    return undefined; // given back
  }
}
