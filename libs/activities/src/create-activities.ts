import { Context, log } from '@temporalio/activity';
import type { ResolvedRun, RunActivities, SweepActivities, TrainingProgress, TrainRequest } from '@nautil/contracts';
import { Semaphore } from '@nautil/store';
import { Trainers } from '@nautil/trainer-process';
import { CheckpointReplica, faultPoint } from '@nautil/training';
import { ArtifactTransfer } from './artifact-transfer.js';
import { checkRun } from './check-run.js';
import { evaluateInTrainer } from './evaluate-in-trainer.js';
import { routeRun, type WorkerContext } from './route-run.js';
import { cache, convert, download, evaluate, packageModel, resolveRun, tokenize } from './stages/index.js';
import type { StageControl } from './stages/stage-control.js';
import { awaitTrial } from './sweep-await-trial.js';
import { planSweep } from './sweep-plan.js';
import { finishSweepTracking, startSweepTracking } from './sweep-tracking.js';
import { toApplicationFailure } from './to-application-failure.js';
import { finishTracking, startTracking, trackingOfTraining } from './tracking.js';
import { train } from './train-activity.js';
import { withHeartbeat } from './with-heartbeat.js';

export interface ActivityDependencies extends WorkerContext {
  /** Address of the MLflow server; runs continue while it is down. */
  trackingUri: string;

  /** Signals the progress of a training to its workflow. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;

  /** Number of concurrent trainings and evaluations; each of them occupies a whole device. */
  trainings: number;
}

/** The activities that the workflows call. */
export function createActivities(o: ActivityDependencies): RunActivities & SweepActivities {
  const { trackingUri, signalProgress } = o;
  const transfer = new ArtifactTransfer(o);
  const devices = new Semaphore(o.trainings);
  const trainers = new Trainers();

  /** Waits for a device slot, downloads the run's files, runs the stage, uploads its outputs. */
  const withDeviceSlot =
    <Request extends { run: ResolvedRun }, Result>(stage: (request: Request) => Promise<Result>) =>
    async (request: Request): Promise<Result> => {
      const { cancellationSignal } = Context.current();
      const release = await withHeartbeat(() => devices.acquire(cancellationSignal));
      try {
        const local = await withHeartbeat(() => transfer.pull(request));
        const result = await stage(local);
        return await withHeartbeat(() => transfer.push(request.run, result));
      } finally {
        release();
      }
    };

  return {
    resolveRun: activity(async (request) => {
      const run = await resolveRun(request, {
        route: (unrouted) => routeRun(unrouted, o),
        check: checkRun,
        ownServer: trackingUri,
      });
      return transfer.push(run, run);
    }),
    startTracking: activity((run) => startTracking(run, trackingUri)),
    finishTracking: activity(async (outcome) => {
      const tracking = await finishTracking(outcome, trackingUri);
      for (const warning of tracking.warnings ?? []) log.warn(warning);
      return tracking;
    }),
    download: activity((request, control) => download(request, control)),
    convert: activity((request) => convert(request)),
    cache: activity(async (request) => {
      const { run } = request;
      return transfer.push(run, await transfer.addEncoderFiles(run, await cache(request)));
    }),
    tokenize: activity(async (request, { onProgress }) =>
      transfer.push(request.run, await tokenize(request, onProgress)),
    ),
    // Training sends its own heartbeats, which stop when the trainer process hangs.
    train: reportingFailures(
      withDeviceSlot(async (request) => {
        const { folder, workflowId, runKey } = request.run;
        const artifacts = transfer.storeOf(request.run)?.root;
        const mirror = artifacts === undefined ? undefined : { artifacts, folder, workflowId, runKey };
        if (mirror) await withHeartbeat(() => new CheckpointReplica(mirror).pull());
        const tracking = (trained: TrainRequest) => trackingOfTraining(trained, trackingUri);
        return train(request, { signalProgress, tracking, trainers, mirror });
      }),
    ),
    evaluate: reportingFailures(
      withDeviceSlot((request) =>
        withHeartbeat(() => evaluate(request, (options) => evaluateInTrainer(trainers, options))),
      ),
    ),
    bringHome: activity(async (request) => (await transfer.pull(request)).evaluated),
    package: activity((request) => packageModel(request)),
    planSweep: activity((request) => planSweep(request)),
    startSweepTracking: activity((sweep) => startSweepTracking(sweep, trackingUri)),
    finishSweepTracking: activity((sweep) => finishSweepTracking(sweep, trackingUri)),
    awaitTrial: reportingFailures(awaitTrial),
  };
}

/** An activity that sends heartbeats while it runs. */
function activity<Request, Result>(
  work: (request: Request, control: Required<StageControl>) => Promise<Result>,
): (request: Request) => Promise<Result> {
  return reportingFailures((request: Request) => withHeartbeat((control) => work(request, control)));
}

/** Logs the start and the end of an activity, and converts its errors to failures of Temporal. */
function reportingFailures<Request, Result>(
  work: (request: Request) => Promise<Result>,
): (request: Request) => Promise<Result> {
  return async (request) => {
    const { activityType, attempt } = Context.current().info;
    try {
      log.info(attempt === 1 ? 'activity started' : 'activity retried', { attempt });
      await withHeartbeat(() => faultPoint(`activity ${activityType}`));
      const result = await work(request);
      log.info('activity completed', { attempt });
      return result;
    } catch (error) {
      throw toApplicationFailure(error);
    }
  };
}
