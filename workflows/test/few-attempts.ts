import type { RetryPolicy, retryPolicies as realPolicies } from '../src/retry-policies.js';

/** Takes the place of `retry-policies.ts` in tests that use up all attempts. */
export const retryPolicies = {
  short: { startToCloseTimeout: '5 minutes', maximumAttempts: 1 },
  long: { startToCloseTimeout: '12 hours', maximumAttempts: 10 },
  training: { startToCloseTimeout: '60 days', maximumAttempts: 3 },
  poll: { startToCloseTimeout: '1 minute', maximumAttempts: Infinity },
} satisfies Record<keyof typeof realPolicies, RetryPolicy>;
