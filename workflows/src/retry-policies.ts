/** How long one attempt at an activity may take, and how many attempts there are. */
export interface RetryPolicy {
  /** Milliseconds. */
  startToCloseTimeout: number;
  maximumAttempts: number;
}

const minutes = 60_000;
const hours = 60 * minutes;
const days = 24 * hours;

/**
 * The time-outs are generous on purpose: heartbeats detect a dead worker, and waiting in a task queue has no time-out.
 * Tests replace this module by one with fewer attempts.
 */
export const retryPolicies = {
  /** Configuration and tracking. */
  short: { startToCloseTimeout: 5 * minutes, maximumAttempts: 10 },

  /** Stages that transfer or process a whole data set. */
  long: { startToCloseTimeout: 12 * hours, maximumAttempts: 10 },

  training: { startToCloseTimeout: 60 * days, maximumAttempts: 25 },

  /** A member of a group: when it fails, the workflow starts the whole group again, `training.maximumAttempts` times at most. */
  member: { startToCloseTimeout: 60 * days, maximumAttempts: 1 },

  /** Polling: each attempt is short, and their number is unlimited. */
  poll: { startToCloseTimeout: 1 * minutes, maximumAttempts: Infinity },
} satisfies Record<string, RetryPolicy>;

/**
 * How long the members of a group that have a worker wait for the others, before they give up their places and all are queued again:
 * two groups that each hold a part of the places would wait for each other. It is varied at random, and doubled each time.
 */
export const firstHoldMs = 20_000;
