import { defineError } from '@nautil/contracts';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { claimAfter, highestClaim, openClaims } from './numbered-claims.js';
import { identityOf, pidOf, thisProcess, type ProcessIdentity } from './process/process-identity.js';

/** Another attempt has taken over the folder: this one must write nothing more. */
export class Fenced extends defineError('Fenced', 'training') {}

/** The right to write to a folder, until a newer attempt takes it. */
export interface Fence {
  /** Unique to this claim. */
  token: string;

  /**
   * Call it right before each write that others will read.
   *
   * @throws Fenced when another attempt has claimed the folder since.
   */
  check(): Promise<void>;
}

interface Claimant {
  token: string;
  process: ProcessIdentity;
  since: string;
}

/**
 * Takes a folder over from whichever attempt has it, alive or not: an attempt that the server gave up on may still run, and
 * learns of it at its next check. The newest claim wins.
 */
export async function claimFence(folder: string): Promise<Fence> {
  const claims = join(folder, 'fence');
  await openClaims(claims);
  const me: Claimant = { token: randomUUID(), process: thisProcess, since: new Date().toISOString() };
  while (!(await claimAfter(claims, (await highestClaim(claims)).number, JSON.stringify(me)))) {
    // Another attempt was quicker; whoever comes last has it.
  }
  return {
    token: me.token,
    check: async () => {
      const { content } = await highestClaim(claims);
      const newest = content === '' ? undefined : (JSON.parse(content) as Claimant);
      if (newest?.token === me.token) return;
      const who = newest
        ? `by process ${pidOf(newest.process)} at ${newest.since}`
        : 'by somebody who removed its fence';
      throw new Fenced(
        `${folder}: another attempt has taken over, claimed ${who}; this one (process ${process.pid}) writes nothing more`,
        {
          hint: 'nothing is lost: the newer attempt goes on from the last checkpoint',
        },
      );
    },
  };
}

/** The id of the process of this machine that has claimed a folder and still runs. */
export async function fenceHolder(folder: string): Promise<number | undefined> {
  try {
    const { content } = await highestClaim(join(folder, 'fence'));
    const { process } = JSON.parse(content) as Claimant;
    return identityOf(pidOf(process)) === process ? pidOf(process) : undefined;
  } catch {
    return undefined; // nobody ever claimed it
  }
}
