import type { MemberResult, TrainingResult, TrainStepped } from '@nautil/contracts';
import { microBatchesOfStep } from './batches.js';
import { GradientsNotFinite, LossNotFinite, TrainingInterrupted } from './errors.js';
import { faultPoint } from './fault-point.js';
import type { TrainJob } from './job.js';
import { isExhausted, lossScaleAfter, SkippedSteps } from './loss-scale.js';
import { reportingOutOfMemory, retryOutOfMemory } from './retry-out-of-memory.js';
import type { TrainControl } from './train-control.js';
import type { StepScalars } from './train-step.js';
import { openTrainingRun, type TrainingRun, type TrainListener } from './training-run.js';
import { TrainingSession } from './training-session.js';
import type { TrainingState } from './training-state.js';

/**
 * Fine-tunes a classifier, resuming from its last checkpoint if there is one.
 *
 * A run is a pure function of its job: the batch of a step depends on (seed, step), dropout on (seed, step, site, row). A run
 * that is killed at any step and started again therefore ends with the same bytes as one that is not.
 *
 * With `job.group`, this process is the chief of several that train together.
 *
 * @throws TrainingInterrupted when `control.stop` is `interrupt`; LossNotFinite; GradientsNotFinite; WeightsNotFinite; BatchTooLarge;
 * CheckpointMismatch; of a group also MembersMissing, MembersDiffer, MembersLost.
 */
export async function trainClassifier(
  job: TrainJob,
  listener: TrainListener = {},
  control: TrainControl = {},
): Promise<TrainingResult> {
  return withSession(job, listener, control, (session) => session.finish());
}

/**
 * Trains as a member of a group that is not its chief: computes a share of every batch, and writes nothing. The chief runs `trainClassifier`.
 *
 * @throws MembersMissing, MembersDiffer, MembersLost; otherwise as `trainClassifier`
 */
export function joinTraining(
  job: TrainJob,
  listener: TrainListener = {},
  control: TrainControl = {},
): Promise<MemberResult> {
  return withSession(job, listener, control, (session) => Promise.resolve(session.memberResult()));
}

/** Opens the run and the session of a job, trains, and calls `finish`. */
async function withSession<Result>(
  job: TrainJob,
  listener: TrainListener,
  control: TrainControl,
  finish: (session: TrainingSession) => Promise<Result>,
): Promise<Result> {
  const run = await openTrainingRun(job);
  try {
    return await retryOutOfMemory(
      async (microBatches) => {
        const session = await TrainingSession.open(run, listener, {
          microBatches,
          isStopped: () => control.stop === 'interrupt',
        });
        try {
          await train(run, session, listener, control);
          return await finish(session);
        } finally {
          await session.close();
        }
      },
      async (message) => listener.onProgress?.({ type: 'warning', message }),
      { isAlone: job.group === undefined },
    );
  } finally {
    await run.close();
  }
}

/** The training loop. Steps count from 0: `state.step` is the number of steps done, and the number of the next step. */
async function train(
  run: TrainingRun,
  session: TrainingSession,
  listener: TrainListener,
  control: TrainControl,
): Promise<void> {
  const { job } = run;
  const { model, state, speed, plan } = session;
  const { length, learningRate, evaluationPoints } = plan;
  const { log_every_n_steps: logEvery, accumulate_grad_batches: accumulate } = job.config.trainer;
  const checkpointEvery = job.config.nautil.checkpoint_every_n_steps;
  const share = 1 / accumulate;
  const skipped = new SkippedSteps();
  let stop = control.stop;

  while (state.step < length.total && state.stopped === undefined) {
    session.checkWrites();
    // The processes of a group stop after the same step, on which they have agreed.
    if (!session.group) ({ stop } = control);
    if (stop === 'interrupt') {
      await session.leaveGroup();
      throw new TrainingInterrupted(state.step, await session.committedCheckpoint());
    }
    if (stop === 'early') {
      session.stop('stopped');
      break;
    }

    // 1) the learning rate and the batches [first, last) of this step, which are functions of the step
    const lr = learningRate.at(state.step, state.plateau);
    const epoch = Math.floor(state.step / length.stepsPerEpoch);
    const first = (state.step % length.stepsPerEpoch) * accumulate;
    const last = Math.min(first + accumulate, plan.train.batchesPerEpoch);

    // 2) Lightning also evaluates between accumulated batches, on the weights before the step
    for (const point of evaluationPoints) if (first < point && point < last) await session.evaluate(epoch);

    // 3) forward and backward over the micro-batches, then clip and update
    const batches = Array.from({ length: last - first }, (_, i) => plan.train.at(epoch, first + i));
    const { classWeights } = job;
    const microBatches = microBatchesOfStep(batches, {
      count: state.microBatches * session.devices,
      share,
      classWeights,
      compiledSize: plan.compiledLengths.length === 0 ? undefined : plan.train.batchSize,
    });
    const { losses, gradNorm, isSkipped } = await reportingOutOfMemory(microBatches, state.microBatches, async () => {
      await faultPoint(`train step ${state.step + 1}`);
      return session.guard(model.trainStep.run(microBatches, { lr, ...scalarsOf(state) }));
    });
    const agreed = await session.agreeOn(sum(losses), control.stop);
    stop = agreed.stop;
    const loss = agreed.loss / (share * batches.length);
    const failure = async () => ({
      step: state.step + 1,
      lines: batches.flatMap((batch) => Array.from(batch.rows, (row) => run.lineOf(row))),
      lr: job.config.model.optim.lr,
      checkpoint: await session.lastCheckpoint(),
    });
    // The scale has no part in the loss, so that no other scale would make it finite.
    if (!Number.isFinite(loss))
      throw new LossNotFinite({ ...(await failure()), loss, isFloat16: model.trainStep.scalesLosses });
    if (model.trainStep.scalesLosses) {
      const { scale } = state.lossScale!;
      state.lossScale = lossScaleAfter(state.lossScale!, isSkipped);
      if (isExhausted(state.lossScale)) throw new GradientsNotFinite({ ...(await failure()), scale });
      const warning = skipped.after(state.step + 1, state.lossScale, isSkipped);
      if (warning !== undefined) await listener.onProgress?.({ type: 'warning', message: warning });
    }
    state.step += 1;
    session.markChanged();

    // 4) log: live at once, durably with the next checkpoint
    const { secondsPerStep, ...rates } = speed.after(
      sum(batches.map(({ size }) => size)),
      sum(batches.map(({ tokens }) => tokens)),
    );
    const event: TrainStepped = {
      type: 'step',
      step: state.step,
      epoch,
      loss,
      lr,
      ...(gradNorm === undefined ? {} : { gradNorm }),
      ...rates,
      secondsLeft: secondsPerStep * (length.total - state.step),
      timestampMs: Date.now(),
    };
    if (session.isChief && logEvery !== null && state.step % logEvery === 0) state.events.push(event);
    await listener.onProgress?.(event);

    // 5) evaluate, which may stop the run early, and checkpoint
    const isEvaluated = evaluationPoints.includes(last);
    if (isEvaluated) await session.evaluate(epoch);
    if (isEvaluated || (checkpointEvery > 0 && state.step % checkpointEvery === 0)) await session.checkpoint();
  }
  const warning = skipped.ended(state.step, state.lossScale);
  if (warning !== undefined) await listener.onProgress?.({ type: 'warning', message: warning });
  await session.leaveGroup();
}

/** What a step depends on besides its batches. */
const scalarsOf = ({ step, lossScale }: TrainingState): Omit<StepScalars, 'lr'> => ({
  step,
  updates: step - (lossScale?.skippedSteps ?? 0),
  ...(lossScale ? { lossScale: lossScale.scale } : {}),
});

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
