import {
  ActivityCancellationType,
  type ActivityInterfaceFor,
  type ActivityOptions,
  proxyActivities,
} from '@temporalio/workflow';
import type { ResolvedRun, RunActivities, SweepActivities } from '@nautil/contracts';
import { retryPolicies, type RetryPolicy } from './retry-policies.js';

/** Programming errors, which no retry cures. All other errors state themselves whether a retry may help. */
const programmingErrors = ['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError'];

/** When several runs wait in one queue, the run that has progressed furthest goes first. Lower keys go first; 3 is the default. */
const priorities = { first: { priorityKey: 4 }, middle: { priorityKey: 3 }, last: { priorityKey: 2 } } as const;

/** For activities that run before the run, which states its own time-out, is resolved. */
const defaultHeartbeatTimeoutMs = 30_000;

/**
 * The activities of a run, called on one task queue.
 *
 * @param run - supplies the heartbeat time-out; absent only before the run is resolved
 */
export function activitiesOn(taskQueue: string, run?: Pick<ResolvedRun, 'heartbeatTimeoutMs'>): RunActivities {
  const heartbeatTimeout = run?.heartbeatTimeoutMs ?? defaultHeartbeatTimeoutMs;
  const proxy = (policy: RetryPolicy, priority: NonNullable<ActivityOptions['priority']>) =>
    proxyWith<RunActivities>(policy, { taskQueue, heartbeatTimeout, priority });
  const { resolveRun, startTracking } = proxy(retryPolicies.short, priorities.first);
  const { download, convert, cache, tokenize } = proxy(retryPolicies.long, priorities.middle);
  const { train } = proxy(retryPolicies.training, priorities.middle);
  const { trainMember } = proxy(retryPolicies.member, priorities.middle);
  const { evaluate, bringHome, package: packageModel } = proxy(retryPolicies.long, priorities.last);
  const { finishTracking } = proxy(retryPolicies.short, priorities.last);
  return {
    resolveRun,
    startTracking,
    finishTracking,
    download,
    convert,
    cache,
    tokenize,
    train,
    trainMember,
    evaluate,
    bringHome,
    package: packageModel,
  };
}

/** The activities of a group that trains together. They are not retried one by one, because all of them have to start again. */
export function groupActivitiesOn(
  taskQueue: string,
  { heartbeatTimeoutMs }: Pick<ResolvedRun, 'heartbeatTimeoutMs'>,
): Pick<RunActivities, 'train' | 'trainMember'> {
  const options = { taskQueue, heartbeatTimeout: heartbeatTimeoutMs, priority: priorities.middle };
  const { train, trainMember } = proxyWith<RunActivities>(retryPolicies.member, options);
  return { train, trainMember };
}

/** The activities of a sweep, called on one task queue. */
export function sweepActivitiesOn(taskQueue: string): SweepActivities {
  const options = { taskQueue, heartbeatTimeout: defaultHeartbeatTimeoutMs };
  const { planSweep, startSweepTracking, finishSweepTracking } = proxyWith<SweepActivities>(
    retryPolicies.short,
    options,
  );
  const { awaitTrial } = proxyWith<SweepActivities>(retryPolicies.poll, options);
  return { planSweep, startSweepTracking, finishSweepTracking, awaitTrial };
}

function proxyWith<Activities extends object>(
  { startToCloseTimeout, maximumAttempts }: RetryPolicy,
  options: Pick<ActivityOptions, 'taskQueue' | 'heartbeatTimeout' | 'priority'>,
): ActivityInterfaceFor<Activities> {
  return proxyActivities<Activities>({
    ...options,
    startToCloseTimeout,
    // A cancelled activity is awaited, because training writes a checkpoint before it ends.
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    retry: {
      initialInterval: '1 second',
      backoffCoefficient: 2,
      maximumInterval: '1 minute',
      maximumAttempts,
      nonRetryableErrorTypes: programmingErrors,
    },
  });
}
