import {
  NautilError,
  type ResolvedRun,
  type RunActivities,
  type SweepActivities,
  type TrainingProgress,
  type TrainRequest,
} from '@nautil/contracts';
import { Semaphore } from '@nautil/store';
import { Context } from '@temporalio/activity';
import { faultPoint, TrainingMirror } from '@nautil/training';
import { WorkerShutdown } from './errors.js';
import { reportingFailures } from './to-application-failure.js';
import type { StageControl } from './stages/fetch.js';
import { cache, convert, download, evaluate, packageModel, resolveRun, tokenize } from './stages/index.js';
import { awaitTrial } from './sweep-await-trial.js';
import { planSweep } from './sweep-plan.js';
import { finishSweepTracking, startSweepTracking } from './sweep-tracking.js';
import { finishTracking, startTracking, trackingOfTraining } from './tracking.js';
import { ArtifactTransfer } from './artifact-transfer.js';
import { routeRun, type WorkerContext } from './route-run.js';
import { train } from './train-activity.js';
import { Trainers } from '@nautil/trainer-process';

export interface ActivityDependencies extends WorkerContext {
  /** Address of the MLflow server; runs go on while it is down. */
  trackingUri: string;

  /** Tells a workflow where its training is. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;

  /** Trainings and evaluations at a time; each takes a whole device. */
  trainings: number;
}

/** Seconds between the heartbeats of stages that don't train. */
const heartbeatSeconds = 2;

/** The activities that the workflows call. This is the only place where Temporal meets the libraries. */
export function createActivities(o: ActivityDependencies): RunActivities & SweepActivities {
  const { trackingUri, signalProgress } = o;
  const files = new ArtifactTransfer(o);
  const device = new Semaphore(o.trainings);
  const trainers = new Trainers();
  /** In turn on the device, with the run's files here, and what is made back where the other workers find it. */
  const onDevice =
    <R extends { run: ResolvedRun }, M>(stage: (request: R) => Promise<M>): ((request: R) => Promise<M>) =>
    async (request) => {
      const { cancellationSignal } = Context.current();
      const release = await beating(() => device.acquire(cancellationSignal));
      try {
        const received = await beating(() => files.receive(request));
        const made = await stage(received);
        return await beating(() => files.send(request.run, made));
      } finally {
        release();
      }
    };
  const activities: RunActivities & SweepActivities = {
    resolveRun: alive(async (request) => {
      const run = await resolveRun(request, { place: (asked) => routeRun(asked, o) });
      return files.send(run, run);
    }),
    startTracking: alive((run) => startTracking(run, trackingUri)),
    finishTracking: alive((outcome) => finishTracking(outcome, trackingUri)),
    download: alive((o, control) => download(o, control)),
    convert: alive((o) => convert(o)),
    cache: alive(async (o) => files.send(o.run, await files.listEncoder(o.run, await cache(o)))),
    tokenize: alive(async (o, { onProgress }) => files.send(o.run, await tokenize(o, onProgress))),
    train: onDevice(async (request) => {
      const { folder, workflowId, runKey } = request.run;
      const artifacts = files.artifactsOf(request.run)?.root;
      const mirror = artifacts === undefined ? undefined : { artifacts, folder, workflowId, runKey };
      if (mirror) await beating(() => new TrainingMirror(mirror).restore());
      const tracking = (asked: TrainRequest) => trackingOfTraining(asked, trackingUri);
      return train(request, { signalProgress, tracking, trainers, mirror });
    }),
    evaluate: onDevice(
      alive((request) =>
        evaluate(request, async (options) => {
          const context = Context.current();
          const result = await trainers
            .run({
              task: { do: 'evaluate', ...options },
              onStarted: (running) => void context.cancelled.catch(() => running.kill()),
            })
            .catch((error: unknown) => {
              if (!context.cancellationDetails?.workerShutdown) throw error;
              throw new WorkerShutdown('the worker is shutting down; another one evaluates');
            });
          if (!('answers' in result)) throw new TypeError('the trainer answered an evaluation with a training');
          return result;
        }),
      ),
    ),
    bringHome: alive(async (o) => (await files.receive(o)).evaluated),
    package: alive((o) => packageModel(o)),
    planSweep: alive((request) => planSweep(request)),
    startSweepTracking: alive((sweep) => startSweepTracking(sweep, trackingUri)),
    finishSweepTracking: alive((outcome) => finishSweepTracking(outcome, trackingUri)),
    awaitTrial,
  };
  return Object.fromEntries(
    Object.entries(activities).map(([name, activity]) => [
      name,
      reportingFailures(async (...args: unknown[]) => {
        await heartbeating(() => faultPoint(`activity ${name}`));
        return (activity as (...args: unknown[]) => Promise<unknown>)(...args);
      }),
    ]),
  ) as unknown as RunActivities & SweepActivities;
}

async function heartbeating(work: () => Promise<void>): Promise<void> {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), heartbeatSeconds * 1000);
  await work().finally(() => clearInterval(timer));
}

/**
 * The activity, heartbeating while it runs, with how far it is: a worker that dies is noticed, whatever the stage's
 * time-out. One that is cancelled has ended at once; what it was making is not seen before it is whole.
 */
function alive<A, R>(activity: (o: A, control: Required<StageControl>) => Promise<R>): (o: A) => Promise<R> {
  return (o) => beating((control) => activity(o, control));
}

async function beating<R>(work: (control: Required<StageControl>) => Promise<R>): Promise<R> {
  const context = Context.current();
  let progress: string | undefined;
  const timer = setInterval(() => context.heartbeat(progress), heartbeatSeconds * 1000);
  const cancelled = context.cancelled.catch((error: unknown) => {
    // A worker that shuts down lets its stages end, or hand over where they can.
    if (context.cancellationDetails?.workerShutdown) return new Promise<never>(() => undefined);
    throw error;
  });
  const control = {
    signal: context.cancellationSignal,
    onProgress: (detail: string) => void (progress = detail),
  };
  try {
    return await Promise.race([work(control), cancelled]);
  } catch (error) {
    if (!context.cancellationDetails?.workerShutdown || error instanceof NautilError) throw error;
    throw new WorkerShutdown('the worker is shutting down; another one goes on with the stage');
  } finally {
    clearInterval(timer);
  }
}
