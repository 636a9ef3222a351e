import { createHmac, timingSafeEqual } from 'node:crypto';
import type { MemberPlaced, Placement } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';
import { EnvironmentInvalid, MemberNotVerified } from './errors.js';

/** Whoever may signal workflows sees signatures, and could try short secrets until one fits. */
const shortestSecret = 32;

/**
 * The secret that all workers of a group share, in NAUTIL_GROUP_SECRET; undefined when it is not set. It stays in this process.
 *
 * @throws EnvironmentInvalid when it is short
 */
export function groupSecret(): string | undefined {
  const secret = environmentVariable('NAUTIL_GROUP_SECRET');
  if (secret === undefined || secret.length >= shortestSecret) return secret;
  throw new EnvironmentInvalid(`NAUTIL_GROUP_SECRET has ${secret.length} characters, fewer than ${shortestSecret}`, {
    hint: 'set it to the output of `openssl rand -hex 32`, the same for all workers, or unset it for all',
  });
}

/** The execution of a workflow. */
export interface Execution {
  workflowId: string;
  runId: string;
}

/**
 * HMAC-SHA-256 of a member's address and of all that it is valid for, in hexadecimal digits. A signature that was seen therefore fits
 * no other run, start, place or address.
 */
export function signMember(
  { workflowId, runId }: Execution,
  { token, index, address }: Omit<MemberPlaced, 'signature'>,
  secret: string,
): string {
  const signed = JSON.stringify(['nautil member', workflowId, runId, token, index, address]);
  return createHmac('sha256', secret).update(signed).digest('hex');
}

/**
 * Checks that workers with this one's secret have reported all addresses, or, without a secret, that no worker has one.
 *
 * @throws MemberNotVerified
 */
export function verifyMembers(
  execution: Execution,
  { token = '', members = [], signatures = [] }: Placement,
  secret: string | undefined,
): void {
  const named = (index: number): string => `member ${index} (${members[index]})`;
  const problems = members.flatMap((address, index) => {
    const signature = signatures[index];
    if (secret === undefined)
      return signature == null ? [] : [`${named(index)} signs its address, but this worker has no NAUTIL_GROUP_SECRET`];
    if (signature == null) return [`${named(index)} does not sign its address: its worker has no NAUTIL_GROUP_SECRET`];
    return isEqual(signature, signMember(execution, { token, index, address }, secret))
      ? []
      : [`the signature of ${named(index)} is wrong: its worker has another NAUTIL_GROUP_SECRET`];
  });
  if (problems.length > 0) throw new MemberNotVerified(problems);
}

const isEqual = (found: string, expected: string): boolean =>
  found.length === expected.length && timingSafeEqual(Buffer.from(found), Buffer.from(expected));
