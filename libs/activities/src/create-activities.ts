import { join } from 'node:path';
import { Context, log } from '@temporalio/activity';
import type { ResolvedRun, RunActivities, SweepActivities, TrainingProgress, TrainRequest } from '@nautil/contracts';
import { Semaphore } from '@nautil/store';
import { runFolder } from '@nautil/store/folders';
import { Trainers } from '@nautil/trainer-process';
import { CheckpointReplica, faultPoint, requireDevices } from '@nautil/training';
import { ArtifactTransfer } from './artifact-transfer.js';
import { asExpectedError } from './as-expected-error.js';
import { checkRun } from './check-run.js';
import { evaluateInTrainer } from './evaluate-in-trainer.js';
import type { GroupChannel } from './join-group.js';
import type { OutputRoots } from './output-roots.js';
import { routeRun, type WorkerContext } from './route-run.js';
import { concealRun, environmentOf, requireAllowed, revealRun } from './run-environment.js';
import { cache, convert, download, evaluate, packageModel, resolveRun, tokenize } from './stages/index.js';
import type { StageControl } from './stages/stage-control.js';
import { awaitTrial } from './sweep-await-trial.js';
import { planSweep } from './sweep-plan.js';
import { finishSweepTracking, startSweepTracking } from './sweep-tracking.js';
import { toApplicationFailure } from './to-application-failure.js';
import { finishTracking, startTracking, trackingOfTraining } from './tracking.js';
import { train, trainMember } from './train-activity.js';
import { withHeartbeat } from './with-heartbeat.js';

export interface ActivityDependencies extends WorkerContext {
  /** Address of the MLflow server; runs continue while it is down. */
  trackingUri: string;

  /** The page of a workflow in Temporal's UI; undefined where its address is not known. */
  workflowUrl: (workflowId: string) => string | undefined;

  /** Signals the progress of a training to its workflow. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;

  /** How the activities that train one run together find one another. */
  group: GroupChannel;

  /** Where runs may write. */
  outputs: OutputRoots;

  /** The environment variables that runs may read; see `allowedVariables`. */
  allowedEnv: readonly string[];

  /** Number of concurrent trainings and evaluations. On a machine with GPUs, they also wait for those that they ask for. */
  trainings: number;

  /** Whether this worker trains the runs that it resolves. */
  trainsHere: boolean;
}

/** The activities that the workflows call. */
export function createActivities(o: ActivityDependencies): RunActivities & SweepActivities {
  const { trackingUri, signalProgress, allowedEnv } = o;
  const requireOutput = o.outputs.require;
  const transfer = new ArtifactTransfer(o);
  const devices = new Semaphore(o.trainings);
  const trainers = new Trainers();

  /** Where a run writes is checked before each of its stages, because links may have changed since it was resolved. */
  const requireOutputs = async ({ workflowId, runKey, folder, logDir }: ResolvedRun): Promise<void> => {
    if (folder !== runFolder(workflowId, runKey)) await requireOutput('the folder of the run', folder);
    for (const place of [logDir, join(logDir, 'checkpoints')]) await requireOutput('the log folder of the run', place);
  };

  /** Logs the start and the end of an activity, and converts its errors to failures of Temporal. */
  const reportingFailures =
    <Request extends object, Result>(work: (request: Request) => Promise<Result>) =>
    async (sent: Request): Promise<Result> => {
      const { activityType, attempt } = Context.current().info;
      const environment = environmentOf(runIn(sent));
      try {
        requireAllowed(runIn(sent) ?? {}, allowedEnv);
        const request = revealRequest(sent);
        log.info(attempt === 1 ? 'activity started' : 'activity retried', { attempt });
        await withHeartbeat(() => faultPoint(`activity ${activityType}`));
        const result = await work(request);
        log.info('activity completed', { attempt });
        // The result becomes a part of the history.
        return environment.conceal(result);
      } catch (error) {
        throw toApplicationFailure(environment.concealError(asExpectedError(error)));
      }
    };

  /** An activity that sends heartbeats while it runs. */
  const activity = <Request extends object, Result>(
    work: (request: Request, control: Required<StageControl>) => Promise<Result>,
  ): ((request: Request) => Promise<Result>) =>
    reportingFailures(async (request: Request) => {
      const run = runIn(request);
      if (run) await requireOutputs(run);
      const environment = environmentOf(run);
      return withHeartbeat(({ signal, onProgress }) =>
        work(request, { signal, onProgress: (detail) => onProgress(environment.conceal(detail)) }),
      );
    });

  /** Waits for a device slot, downloads the run's files, runs the stage, uploads its outputs. */
  const withDeviceSlot =
    <Request extends { run: ResolvedRun }, Result>(stage: (request: Request) => Promise<Result>) =>
    async (request: Request): Promise<Result> => {
      // For the run of another state folder, `pull` names folders in this one.
      if (!transfer.isRemote(request.run)) await requireOutputs(request.run);
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
        check: (config, { cwd }) => {
          // With an artifact store, workers on other machines may train.
          if (o.trainsHere && o.artifacts === undefined) requireDevices(config.trainer);
          return checkRun(config, { cwd, requireOutput });
        },
        ownServer: trackingUri,
        allowedEnv,
      });
      return concealRun(await transfer.push(run, run));
    }),
    startTracking: activity((run) => startTracking(run, trackingUri, { workflowUrl: o.workflowUrl(run.workflowId) })),
    finishTracking: activity(async (outcome) => {
      const workflowUrl = o.workflowUrl(outcome.run.workflowId);
      const tracking = await finishTracking(outcome, trackingUri, { workflowUrl });
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
        return train(request, { signalProgress, tracking, trainers, mirror, group: o.group });
      }),
    ),
    // Its slot is held while it waits for the other members.
    trainMember: reportingFailures(withDeviceSlot((request) => trainMember(request, { trainers, group: o.group }))),
    evaluate: reportingFailures(
      withDeviceSlot((request) =>
        withHeartbeat(() => evaluate(request, (options) => evaluateInTrainer(trainers, options))),
      ),
    ),
    bringHome: activity(async (request) => (await transfer.pull(request)).evaluated),
    package: activity((request) => packageModel({ ...request, requireOutput })),
    planSweep: activity((request) => planSweep(request, { allowedEnv })),
    startSweepTracking: activity((sweep) => startSweepTracking(sweep, trackingUri)),
    finishSweepTracking: activity((sweep) => finishSweepTracking(sweep, trackingUri)),
    awaitTrial: reportingFailures(awaitTrial),
  };
}

/** The request with the values of the environment in its paths. Texts that are only shown keep the references. */
function revealRequest<Request extends object>(request: Request): Request {
  const run = runIn(request);
  if (run?.fromEnvironment === undefined) return request;
  const shown = 'message' in request ? { message: request.message } : {};
  const revealed = { ...environmentOf(run).reveal(request), ...shown };
  return 'run' in request ? { ...revealed, run: revealRun(run) } : { ...revealed, ...revealRun(run) };
}

/** The run that a request of an activity is about; undefined for a run that is yet to be resolved, and for a sweep. */
function runIn(request: unknown): ResolvedRun | undefined {
  if (typeof request !== 'object' || request === null) return undefined;
  const run = 'run' in request ? request.run : request;
  return typeof run === 'object' && run !== null && 'logDir' in run ? (run as ResolvedRun) : undefined;
}
