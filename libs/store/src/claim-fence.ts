import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { defineError } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { claimAfter, highestClaim, openClaims } from './numbered-claims.js';
import { identityOf, pidOf, thisProcess } from './process/process-identity.js';

/** Another attempt has taken over the folder, so this one must not write to it any more. */
export class Fenced extends defineError('Fenced', 'training') {}

/** The right to write to a folder, until a newer attempt claims it. */
export interface Fence {
  /** Unique to this claim. */
  token: string;

  /**
   * Call it immediately before each write that other processes will read.
   *
   * @throws Fenced when another attempt has claimed the folder in the meantime
   */
  check(): Promise<void>;
}

const claimant = Type.Object({ token: Type.String(), process: Type.String(), since: Type.String() });
const parseClaimant = jsonParser(claimant);

/**
 * Claims a folder, whether or not another attempt holds it: an attempt that Temporal has timed out may still be running, and
 * its next check throws. The newest claim wins.
 */
export async function claimFence(folder: string): Promise<Fence> {
  const claims = join(folder, 'fence');
  await openClaims(claims);
  const me: Static<typeof claimant> = { token: randomUUID(), process: thisProcess, since: new Date().toISOString() };
  while (!(await claimAfter(claims, (await highestClaim(claims)).number, JSON.stringify(me)))) {
    // Another attempt was faster. Claim again: the last claim wins.
  }
  return {
    token: me.token,
    check: async () => {
      const { content } = await highestClaim(claims);
      const newest = content === '' ? undefined : parseClaimant(content, claims);
      if (newest?.token === me.token) return;
      const who = newest
        ? `by process ${pidOf(newest.process)} at ${newest.since}`
        : 'by a process that removed the claim';
      throw new Fenced(
        `${folder}: another attempt has taken over, claimed ${who}; this one (process ${process.pid}) stops writing`,
        {
          hint: 'nothing is lost: the newer attempt continues from the last checkpoint',
        },
      );
    },
  };
}

/** The id of the process on this machine that holds the claim on a folder; undefined when it has ended or there is none. */
export async function fenceHolder(folder: string): Promise<number | undefined> {
  try {
    const { content } = await highestClaim(join(folder, 'fence'));
    const { process } = parseClaimant(content, folder);
    return identityOf(pidOf(process)) === process ? pidOf(process) : undefined;
  } catch {
    return undefined; // never claimed, or the claim is damaged
  }
}
