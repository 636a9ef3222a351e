import { setTimeout as sleep } from 'node:timers/promises';
import { type GroupPlace, type MemberPlaced, type Placement, type ResolvedRun } from '@nautil/contracts';
import type { TrainingGroup } from '@nautil/training';
import { GroupSuperseded, PlaceTaken } from './errors.js';
import { signMember, verifyMembers } from './member-signature.js';

/** An address at which the trainer of a member will listen. */
export interface ReservedAddress {
  /** `host:port`; the other members reach it. */
  address: string;

  /** Frees the port for the trainer. */
  release: () => Promise<void>;
}

/** How the activities of a group find one another. */
export interface GroupChannel {
  reserveAddress: () => Promise<ReservedAddress>;

  /** Signals the workflow that a member has a worker. */
  signalPlaced: (workflowId: string, placed: MemberPlaced) => Promise<void>;

  /** Asks the workflow for the addresses of all members. */
  queryPlacement: (workflowId: string) => Promise<Placement>;

  /** Signs the addresses; see `groupSecret`. Absent: they are not signed. */
  secret?: string | undefined;
}

/** Wait between two queries. A query costs no history, but the workflow's worker answers it. */
const pollMs = 500;

/** Wait after a failed request: the server, or the worker that runs the workflow, may be restarting. */
const retryMs = 2000;

/**
 * Reports this activity's address to the workflow, and waits until all members of the group have reported theirs. The workflow
 * limits the wait: it cancels all activities of the group.
 *
 * @param o.runId - of the workflow's execution
 * @throws the signal's reason; GroupSuperseded when the workflow has started the group again without this activity; PlaceTaken;
 *   MemberNotVerified
 */
export async function joinGroup(
  { workflowId, group }: Pick<ResolvedRun, 'workflowId' | 'group'>,
  { index, token }: GroupPlace,
  o: GroupChannel & { runId: string; signal: AbortSignal; sleep?: typeof sleep },
): Promise<TrainingGroup> {
  if (group === undefined) throw new TypeError('a run without a group has no member');
  const { signal, secret } = o;
  const execution = { workflowId, runId: o.runId };
  const wait = o.sleep ?? sleep;
  const { address, release } = await o.reserveAddress();
  const retried = async <T>(request: () => Promise<T>): Promise<T> => {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await request();
      } catch {
        await wait(retryMs, undefined, { signal });
      }
    }
  };
  try {
    const placed = { token, index, address };
    const signature = secret === undefined ? undefined : signMember(execution, placed, secret);
    await retried(() => o.signalPlaced(workflowId, { ...placed, ...(signature && { signature }) }));
    for (;;) {
      const placement = await retried(() => o.queryPlacement(workflowId));
      if (placement.token !== token) throw new GroupSuperseded();
      if (placement.members !== undefined) {
        const reported = placement.members[index];
        if (reported !== address) throw new PlaceTaken(index, { own: address, reported });
        verifyMembers(execution, placement, secret);
        const { joinTimeoutS, stepTimeoutS } = group;
        return { members: placement.members, index, joinTimeoutS, stepTimeoutS };
      }
      await wait(pollMs, undefined, { signal });
    }
  } finally {
    await release();
  }
}
