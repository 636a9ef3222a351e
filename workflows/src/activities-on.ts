import type { ResolvedRun, RunActivities, SweepActivities } from '@nautil/contracts';
import {
  ActivityCancellationType,
  proxyActivities,
  type ActivityInterfaceFor,
  type ActivityOptions,
} from '@temporalio/workflow';

/** Bugs of ours that no repetition cures. Expected errors say themselves whether they may be tried again. */
const bugs = ['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError'];

/** The start-to-close time-outs are far off on purpose: heartbeats notice a dead worker, and no time-out covers a queue. */
const shortly = { startToCloseTimeout: '5 minutes', maximumAttempts: 10 } as const;
const hours = { startToCloseTimeout: '12 hours', maximumAttempts: 10 } as const;
const weeks = { startToCloseTimeout: '60 days', maximumAttempts: 25 } as const;

/** Asked again and again, each time shortly. */
const patiently = { startToCloseTimeout: '1 minute', maximumAttempts: Infinity } as const;

type Reach = typeof shortly | typeof hours | typeof weeks | typeof patiently;

/** Of several runs in a queue, the one that is further goes first: 3 is the default, and lower numbers come before it. */
const priorities = { beginning: 4, middle: 3, end: 2 } as const;

/** Of what runs before a run has its own: without one, a worker that died is noticed by the start-to-close time-out alone. */
const heartbeatTimeoutMs = 30_000;

/**
 * The activities of a run as they are called on one task queue.
 *
 * @param run - its heartbeat time-out applies; it is absent only before the run is resolved.
 */
export function activitiesOn(taskQueue: string, run?: Pick<ResolvedRun, 'heartbeatTimeoutMs'>): RunActivities {
  const within = (reach: Reach, part: keyof typeof priorities) =>
    callable<RunActivities>(taskQueue, reach, {
      heartbeatTimeout: run?.heartbeatTimeoutMs,
      priority: { priorityKey: priorities[part] },
    });
  const { resolveRun, startTracking } = within(shortly, 'beginning');
  const { download, convert, cache, tokenize } = within(hours, 'middle');
  const { train } = within(weeks, 'middle');
  const { evaluate, bringHome, package: pack } = within(hours, 'end');
  const { finishTracking } = within(shortly, 'end');
  return {
    resolveRun,
    startTracking,
    finishTracking,
    download,
    convert,
    cache,
    tokenize,
    train,
    evaluate,
    bringHome,
    package: pack,
  };
}

/** The activities of a sweep as they are called on one task queue. */
export function sweepActivitiesOn(taskQueue: string): SweepActivities {
  const { planSweep, startSweepTracking, finishSweepTracking } = callable<SweepActivities>(taskQueue, shortly);
  const { awaitTrial } = callable<SweepActivities>(taskQueue, patiently);
  return { planSweep, startSweepTracking, finishSweepTracking, awaitTrial };
}

function callable<Activities extends object>(
  taskQueue: string,
  { startToCloseTimeout, maximumAttempts }: Reach,
  { heartbeatTimeout = heartbeatTimeoutMs, priority }: Pick<ActivityOptions, 'heartbeatTimeout' | 'priority'> = {},
): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    taskQueue,
    startToCloseTimeout,
    heartbeatTimeout,
    ...(priority && { priority }),
    // A cancelled stage has ended when it says so: training writes a checkpoint first.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumInterval: '1 minute',
      maximumAttempts,
      nonRetryableErrorTypes: bugs,
    },
  });
}
