import type { RunActivities, SweepActivities, TrainingProgress } from '@nautil/contracts';
import { Context } from '@temporalio/activity';
import { faultPoint } from '@nautil/training';
import { WorkerShutdown } from './errors.js';
import { reportingFailures } from './failures.js';
import { cache, convert, download, evaluate, packageModel, resolveRun, tokenize } from './stages/index.js';
import { awaitTrial } from './sweep-await-trial.js';
import { planSweep } from './sweep-plan.js';
import { finishSweepTracking, startSweepTracking } from './sweep-tracking.js';
import { finishTracking, startTracking, trackingOfTraining } from './tracking.js';
import { train } from './train-activity.js';
import { runTrainer } from './trainer-process.js';

export interface ActivityDependencies {
  /** Address of the MLflow server; runs go on while it is down. */
  trackingUri: string;

  /** Tells a workflow where its training is. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;
}

/** Seconds between the heartbeats of stages that don't train. */
const heartbeatSeconds = 2;

/** The activities that the workflows call. This is the only place where Temporal meets the libraries. */
export function createActivities({
  trackingUri,
  signalProgress,
}: ActivityDependencies): RunActivities & SweepActivities {
  const activities: RunActivities & SweepActivities = {
    resolveRun: (request) => resolveRun(request),
    startTracking: (run) => startTracking(run, trackingUri),
    finishTracking: (outcome) => finishTracking(outcome, trackingUri),
    download: alive((o) => download(o)),
    convert: alive((o) => convert(o)),
    cache: alive((o) => cache(o)),
    tokenize: alive((o) => tokenize(o)),
    train: (request) => train(request, { signalProgress, tracking: (asked) => trackingOfTraining(asked, trackingUri) }),
    evaluate: alive((o) =>
      evaluate(o, async (options) => {
        const context = Context.current();
        const result = await runTrainer({
          task: { do: 'evaluate', ...options },
          onStarted: (_stop, child) => void context.cancelled.catch(() => child.kill('SIGKILL')),
        }).catch((error: unknown) => {
          if (!context.cancellationDetails?.workerShutdown) throw error;
          throw new WorkerShutdown('the worker is shutting down; another one evaluates');
        });
        if (!('answers' in result)) throw new TypeError('the trainer answered an evaluation with a training');
        return result;
      }),
    ),
    package: alive((o) => packageModel(o)),
    planSweep: (request) => planSweep(request),
    startSweepTracking: (sweep) => startSweepTracking(sweep, trackingUri),
    finishSweepTracking: (outcome) => finishSweepTracking(outcome, trackingUri),
    awaitTrial,
  };
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [
      name,
      reportingFailures(async (...args: unknown[]) => {
        await faultPoint(`activity ${name}`);
        return (activity as (...args: unknown[]) => Promise<unknown>)(...args);
      }),
    ]),
  ) as unknown as RunActivities & SweepActivities;
}

/**
 * The activity, heartbeating while it runs: a worker that dies is noticed, whatever the stage's time-out. One that is
 * cancelled has ended at once; what it was making is not seen before it is whole.
 */
function alive<A extends unknown[], R>(activity: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return async (...args) => {
    const context = Context.current();
    const timer = setInterval(() => context.heartbeat(), heartbeatSeconds * 1000);
    const cancelled = context.cancelled.catch((error: unknown) => {
      // A worker that shuts down lets its stages end.
      if (context.cancellationDetails?.workerShutdown) return new Promise<never>(() => undefined);
      throw error;
    });
    try {
      return await Promise.race([activity(...args), cancelled]);
    } finally {
      clearInterval(timer);
    }
  };
}
