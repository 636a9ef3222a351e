import type { retryPolicies as realPolicies, RetryPolicy } from '../src/retry-policies.js';

const startToCloseTimeout = 3_600_000;

/** Takes the place of `retry-policies.ts` in tests that use up all attempts. */
export const retryPolicies = {
  short: { startToCloseTimeout, maximumAttempts: 1 },
  long: { startToCloseTimeout, maximumAttempts: 10 },
  training: { startToCloseTimeout, maximumAttempts: 3 },
  member: { startToCloseTimeout, maximumAttempts: 1 },
  poll: { startToCloseTimeout, maximumAttempts: Infinity },
} satisfies Record<keyof typeof realPolicies, RetryPolicy>;

export const firstHoldMs = 400;
