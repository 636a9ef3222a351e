import { counted, type EpochEvaluated, type MemberResult, type TrainingResult } from '@nautil/contracts';
import { CorruptFile } from '@nautil/formats';
import { improves, monitored } from '@nautil/metrics';
import { isAllFinite, type NamedArray, sessionDevices } from '@nautil/model';
import { allowTensorFloat32, requireDeterministicOps, TensorViews } from '@nautil/tensorflow';
import { arithmeticOf } from './arithmetic.js';
import { BackgroundWrites } from './background-writes.js';
import { chooseDevices } from './choose-devices.js';
import { BestWeightsDamaged, WeightsNotFinite } from './errors.js';
import { evaluate } from './evaluate.js';
import { faultPoint } from './fault-point.js';
import type { TrainJob } from './job.js';
import { JoinedGroup } from './joined-group.js';
import { initialLossScale } from './loss-scale.js';
import { createTrainableModel, type TrainableModel } from './model.js';
import { patienceAfter } from './monitor.js';
import { isGpu } from './precision-of.js';
import { shareVariables } from './share-variables.js';
import { Speedometer } from './speedometer.js';
import type { TrainControl } from './train-control.js';
import type { LoadTensors, SavedTraining, WrittenArray } from './training-checkpoints.js';
import type { TrainingPlan, TrainingRun, TrainListener } from './training-run.js';
import { type BestEvaluation, parseState, stringifyState, type TrainingState } from './training-state.js';

/** The model and the state of a run while it is trained: from the newest checkpoint to the end or to the first error. */
export class TrainingSession {
  readonly model: TrainableModel;
  readonly state: TrainingState;
  readonly plan: TrainingPlan;

  /** The processes that train together; undefined: this process trains alone. */
  readonly group: JoinedGroup | undefined;

  /** Number of devices of all processes. */
  readonly devices: number;
  readonly speed = new Speedometer();
  readonly #run: TrainingRun;
  readonly #listener: TrainListener;

  /** The newest checkpoint that is on disk. */
  #checkpoint: string | undefined;

  /** Whether the newest checkpoint, which may still be being written, holds the current state. */
  #isSaved: boolean;
  readonly #writes = new BackgroundWrites();

  /** Whether a checkpoint is among the writes that have not finished. */
  #isSaving = false;

  private constructor(o: {
    run: TrainingRun;
    listener: TrainListener;
    model: TrainableModel;
    state: TrainingState;
    plan: TrainingPlan;
    group: JoinedGroup | undefined;
    devices: number;
    checkpoint: string | undefined;
  }) {
    this.#run = o.run;
    this.#listener = o.listener;
    this.model = o.model;
    this.state = o.state;
    this.plan = o.plan;
    this.group = o.group;
    this.devices = o.devices;
    this.#checkpoint = o.checkpoint;
    this.#isSaved = o.checkpoint !== undefined;
  }

  /**
   * Loads the newest checkpoint, else `job.resumeFrom`, else the initial weights. Of a group, the chief loads them, and sends them to the others.
   *
   * @param o.microBatches - replaces the checkpoint's number of micro-batches per batch
   * @param o.isStopped - ends the wait for the other members of a group
   * @throws TrainingInterrupted when the wait was ended
   */
  static async open(
    run: TrainingRun,
    listener: TrainListener,
    { microBatches, isStopped }: { microBatches?: number | undefined; isStopped: () => boolean },
  ): Promise<TrainingSession> {
    const { job, initial } = run;
    const { names: devices, gpus, noGpu, warnings } = chooseDevices(job.config.trainer, job.config.nautil);
    const group = job.group && (await joinGroup(job, devices, isStopped));
    const places = group ? await group.countDevices(devices.length) : { offset: 0, total: devices.length };
    const cluster = group && { session: group.cluster, places };
    const model = createTrainableModel(job, initial.encoder, devices, { pairs: run.pairs, cluster });
    const loading: string[] = [];
    const isChief = group?.isChief ?? true;
    const saved = isChief ? await loadSaved(run, model, (message) => loading.push(message)) : undefined;
    if (isChief && saved === undefined) {
      await model.weights.load(initial.read, initial.file);
      await model.trainStep.loadSlots();
    }
    const state: TrainingState = saved?.state ?? { step: 0, microBatches: 1, events: [] };
    const device = placesOf(devices, places.total);
    state.microBatches = microBatches ?? state.microBatches;
    const arithmetic = arithmeticOf(device, job.config);
    if (state.arithmetic !== undefined && state.arithmetic !== arithmetic) {
      loading.push(
        `the steps so far were computed with ${state.arithmetic}, and those that follow with ${arithmetic}: they round differently, so the weights may differ in their last digits from those of a run on one machine`,
      );
    }
    state.arithmetic = arithmetic;
    const configured = { batchSize: job.config.model.train_ds.batch_size, devices: places.total };
    state.shares = saved ? sharesAfterResume(state.shares, configured, (message) => loading.push(message)) : configured;
    if (model.trainStep.scalesLosses) state.lossScale ??= initialLossScale(job.config.nautil.loss_scale);
    if (group) {
      const { weights, trainStep } = model;
      const variables = [...weights.used.map(({ name }) => weights.variable(name)), ...trainStep.slots];
      await group.guard(shareVariables(weights, variables, places));
      await shareState(group, state);
    }
    const plan = run.plan(state.shares.batchSize * state.shares.devices);
    const lost = await dropLostBest(state, run, (message) => loading.push(message));
    const session = new TrainingSession({
      ...{ run, listener, model, state, plan, group },
      devices: places.total,
      checkpoint: saved?.path,
    });

    await listener.onProgress?.({
      type: 'start',
      step: state.step,
      totalSteps: plan.length.total,
      stepsPerEpoch: plan.length.stepsPerEpoch,
      epochs: job.config.trainer.max_epochs ?? -1,
      trainExamples: run.trainExamples,
      validationExamples: run.validationExamples,
      trainableParameters: model.weights.trainableParameters,
      device,
      gpus: gpus.length,
      gpuDescriptions: gpus,
      ...(noGpu === undefined ? {} : { noGpu }),
      arithmetic,
      ...(saved ? { resumedFrom: saved.path } : {}),
    });
    // Device warnings were emitted on the first attempt. Don't repeat them after an out-of-memory retry, whose own warning must come last.
    const chosen =
      microBatches === undefined
        ? [...warnings, ...tensorFloat32Warnings(job, devices[0]), ...determinismWarnings(job, devices[0])]
        : [];
    for (const message of [...loading, ...compilationNotes(plan), ...lost, ...chosen])
      await listener.onProgress?.({ type: 'warning', message });
    // Commit again: the previous attempt may have crashed after writing the checkpoint but before logging it.
    if (saved) {
      await session.#commit(state, { path: saved.path, sizeBytes: saved.sizeBytes });
      state.events = [];
    }
    return session;
  }

  /**
   * Waits for the writes in progress, and returns the newest checkpoint, for error messages.
   *
   * @throws the error of a write that failed: it concerns an earlier step than the error that the caller reports
   */
  async lastCheckpoint(): Promise<string | undefined> {
    await this.#writes.finish();
    return this.#checkpoint;
  }

  /** Throws the error of a write that has failed since it was started. */
  checkWrites(): void {
    this.#writes.check();
  }

  /** Records that the state has changed since the newest checkpoint. */
  markChanged(): void {
    this.#isSaved = false;
  }

  /** Ends the run before its last step. */
  stop(reason: 'early-stopped' | 'stopped'): void {
    this.state.stopped = reason;
    this.markChanged();
  }

  /** Whether this process evaluates, and writes the checkpoints. */
  get isChief(): boolean {
    return this.group?.isChief ?? true;
  }

  /**
   * Evaluates on the validation set. Keeps the best weights, and updates the learning rate's and early stopping's state. Of a group, the
   * chief evaluates, and sends that state to the others.
   */
  async evaluate(epoch: number): Promise<void> {
    if (this.isChief) await this.#evaluate(epoch);
    if (this.group) await shareState(this.group, this.state);
    this.speed.restart();
  }

  async #evaluate(epoch: number): Promise<void> {
    const { job, validation } = this.#run;
    const { state, model } = this;
    await faultPoint(`evaluation step ${state.step}`);
    const evaluation = await evaluate(model.forward, validation!, job);
    const event: EpochEvaluated = {
      type: 'eval',
      split: 'val',
      step: state.step,
      epoch,
      ...evaluation,
      timestampMs: Date.now(),
    };
    state.events.push(event);
    this.markChanged();

    const { checkpoint_callback_params: best, ...manager } = job.config.exp_manager;
    const value = monitored(best.monitor, event);
    // NaN and infinity rank below every number, and JSON, in which the state is stored, has neither.
    const isRanked = value !== undefined && Number.isFinite(value);
    if (isRanked && (state.best === undefined || improves(value, state.best.value, best.mode))) {
      state.best = { monitor: best.monitor, value, step: state.step };
      await this.#saveBest(state.best);
    }
    const plateau = this.plan.learningRate.plateauAfter(state.plateau, event);
    if (plateau !== undefined) state.plateau = plateau;
    if (manager.create_early_stopping_callback) {
      const stopping = manager.early_stopping_callback_params;
      const watched = monitored(stopping.monitor, event);
      if (watched !== undefined) {
        state.patience = patienceAfter(state.patience, watched, stopping);
        if (state.patience.waited >= stopping.patience) this.stop('early-stopped');
      }
    }
    await this.#listener.onProgress?.(event);
  }

  /**
   * Takes a snapshot of the weights of an evaluation, and writes it while training goes on. The file's SHA-256 is recorded in
   * `best`, which the state of the next checkpoint shares.
   */
  async #saveBest(best: BestEvaluation): Promise<void> {
    await this.#writes.finish();
    const views = new TensorViews();
    const weights = await this.model.weights.readAll(views);
    this.#writes.start({
      write: async () => {
        best.sha256 = await this.#run.checkpoints.saveBest(best.step, releasing(views, weights));
      },
      release: () => {
        views.release();
      },
    });
  }

  /**
   * Takes a snapshot of the current state, unless the newest checkpoint holds it. While the next steps run, the snapshot is
   * written, and its events are committed after that. Waits for the checkpoint before it, so that at most one is in memory.
   *
   * @throws the error of an earlier write that failed
   */
  async checkpoint(): Promise<void> {
    if (this.#isSaved || !this.isChief) return;
    if (this.#isSaving) await this.#writes.finish();
    const views = new TensorViews();
    const weights = await this.model.weights.readAll(views);
    const slots = await this.model.trainStep.readSlots(views);
    const state = { ...this.state };
    const tensors = releasing(views, [...weights, ...slots]).map((tensor) => ({
      ...tensor,
      onWrite: () => {
        this.#requireFinite(tensor, state.step);
      },
    }));
    this.state.events = []; // those that follow belong to the next checkpoint
    this.#isSaved = true;
    this.#isSaving = true;
    this.#writes.start({
      write: () => this.#save(state, tensors),
      release: () => {
        views.release();
        this.#isSaving = false;
      },
    });
    this.speed.restart();
  }

  /** Writes a checkpoint if there is none of the current state, and waits until it is committed. Returns its path; undefined: the chief has it. */
  async committedCheckpoint(): Promise<string | undefined> {
    await this.checkpoint();
    await this.#writes.finish();
    return this.#checkpoint;
  }

  /** The sum of a step's losses, and the stop that is requested, over all processes. */
  async agreeOn(loss: number, stop: TrainControl['stop']): Promise<{ loss: number; stop: TrainControl['stop'] }> {
    if (!this.group) return { loss, stop };
    const isStop = (how: TrainControl['stop']): number => (stop === how ? 1 : 0);
    const [sum, interrupts, earlyStops] = await this.group.sum([loss, isStop('interrupt'), isStop('early')]);
    return { loss: sum!, stop: interrupts! > 0 ? 'interrupt' : earlyStops! > 0 ? 'early' : undefined };
  }

  /** The result of `work`; of a group, MembersLost when a member no longer answers, because `work` may wait for it. */
  guard<T>(work: Promise<T>): Promise<T> {
    return this.group?.guard(work) ?? work;
  }

  /** Of a group, waits until all members have taken their last step. From then on, they need each other no longer. */
  async leaveGroup(): Promise<void> {
    await this.group?.leave();
  }

  /** Writes a checkpoint, and then commits its events. */
  async #save(state: TrainingState, tensors: WrittenArray[]): Promise<void> {
    const { warnings, ...saved } = await this.#run.checkpoints.save(state, tensors);
    this.#checkpoint = saved.path;
    for (const message of warnings) await this.#listener.onProgress?.({ type: 'warning', message });
    await this.#commit(state, saved);
  }

  /** A step's loss is computed before its update, so an update that overflows is first visible in what is written. */
  #requireFinite({ name, data }: NamedArray, step: number): void {
    if (isAllFinite(data)) return;
    const { lr } = this.#run.job.config.model.optim;
    throw new WeightsNotFinite(name, { step, lr, checkpoint: this.#checkpoint });
  }

  /** Writes the last checkpoint and the final weights. */
  async finish(): Promise<TrainingResult> {
    const { checkpoints } = this.#run;
    await this.committedCheckpoint();
    const views = new TensorViews();
    try {
      await checkpoints.saveLast(await this.model.weights.readAll(views));
    } finally {
      views.release();
    }
    const { step, stopped, best } = this.state;
    if (best && !(await checkpoints.hasBest(best))) throw new BestWeightsDamaged(checkpoints.bestWeights(best.step));
    const result: TrainingResult = {
      step,
      epoch: this.#epochOf(step),
      reason: stopped ?? 'completed',
      lastWeights: checkpoints.lastWeights,
      ...(best ? { bestWeights: checkpoints.bestWeights(best.step), best: this.#bestOf(best) } : {}),
    };
    await this.#listener.onProgress?.({ type: 'done', ...result });
    return result;
  }

  /** How the training ended, for a member of a group that is not the chief. */
  memberResult(): MemberResult {
    const { step, stopped } = this.state;
    return { step, epoch: this.#epochOf(step), reason: stopped ?? 'completed' };
  }

  /** Waits for the writes in progress, and frees the model. */
  async close(): Promise<void> {
    await this.#writes.settle();
    this.model.weights.close();
  }

  /** Emits the events that a checkpoint on disk has made durable. */
  async #commit({ step, events }: TrainingState, file: { path: string; sizeBytes: number }): Promise<void> {
    await faultPoint(`log step ${step}`);
    await this.#listener.onCommitted?.({ step, epoch: this.#epochOf(step), ...file, events });
  }

  #bestOf({ monitor, value, step }: BestEvaluation): NonNullable<TrainingResult['best']> {
    return { monitor, value, step, epoch: this.#epochOf(step) };
  }

  /** The epoch of the last of `steps` steps. */
  #epochOf(steps: number): number {
    return Math.floor(Math.max(0, steps - 1) / this.plan.length.stepsPerEpoch);
  }
}

/** Arrays whose memory is freed one by one, as soon as each is written. */
const releasing = (views: TensorViews, tensors: readonly NamedArray[]): WrittenArray[] =>
  tensors.map((tensor) => ({
    ...tensor,
    onWritten: () => {
      views.releaseOne(tensor.data);
    },
  }));

/**
 * How the rows of a batch are shared after a resume. On another number of devices, a batch keeps its rows, so that the run goes on as it
 * began; another `batch_size` makes another batch.
 *
 * @param saved - absent in checkpoints of earlier versions, of one device
 */
function sharesAfterResume(
  saved: TrainingState['shares'],
  configured: NonNullable<TrainingState['shares']>,
  onWarning: (message: string) => void,
): NonNullable<TrainingState['shares']> {
  const { batchSize, devices } = saved ?? { batchSize: configured.batchSize, devices: 1 };
  if (devices === configured.devices || batchSize !== configured.batchSize) return configured;
  onWarning(
    `the checkpoint was made on ${counted(devices, 'device')}, and ${counted(configured.devices, 'device')} ${configured.devices === 1 ? 'trains' : 'train'} now: a batch keeps its ${counted(batchSize * devices, 'row')}`,
  );
  return { batchSize, devices };
}

/** Why the products of float32 matrices do not follow `nautil.tf32=false`, of which the configuration notes nothing. */
function tensorFloat32Warnings({ config }: Pick<TrainJob, 'config'>, device: string): string[] {
  if (config.nautil.tf32) return [];
  if (!isGpu(device))
    return config.trainer.accelerator === 'cpu'
      ? []
      : ['nautil.tf32 is false, which has an effect on GPUs only: the processor trains, and never rounds to TF32'];
  return allowTensorFloat32(false)
    ? []
    : ['nautil.tf32 is false, which this build of TensorFlow ignores: set NVIDIA_TF32_OVERRIDE=0 in the environment'];
}

/** Why the gradients do not follow `trainer.deterministic`, of which the configuration notes nothing. */
function determinismWarnings({ config }: Pick<TrainJob, 'config'>, device: string): string[] {
  const { accelerator, deterministic } = config.trainer;
  if (!isGpu(device))
    return deterministic === false && accelerator !== 'cpu'
      ? [
          'trainer.deterministic is false, which has an effect on GPUs only: the processor trains, and gives the same bits each time',
        ]
      : [];
  if (deterministic === false || requireDeterministicOps(true)) return [];
  return [
    'this build of TensorFlow cannot be told to give the same bits each time: a resumed training may end with other bytes',
  ];
}

/** The number of shapes that XLA compiles a training step for. */
const compilationNotes = ({ compiledLengths: lengths }: TrainingPlan): string[] =>
  lengths.length === 0
    ? []
    : [
        `trainer.compile: XLA compiles the training step for ${lengths.length === 1 ? 'one length' : `${lengths.length} lengths`} of a batch (${lengths.join(', ')}), each when it first occurs`,
      ];

/** Joins the group of a job, whose members must have the same inputs. */
async function joinGroup(
  { group, digests, config }: Pick<TrainJob, 'group' | 'digests' | 'config'>,
  devices: readonly string[],
  isStopped: () => boolean,
): Promise<JoinedGroup> {
  const session = { ...sessionDevices(devices), intraOpThreads: config.nautil.intra_op_threads };
  const joined = await JoinedGroup.join(group!, session, isStopped);
  await joined.requireEqual({ ...digests, ...(group!.program === undefined ? {} : { program: group!.program }) });
  return joined;
}

/** Sets the state to the chief's. The events belong to the chief, who logs them. */
async function shareState(group: JoinedGroup, state: TrainingState): Promise<void> {
  const text = await group.textFromChief(group.isChief ? stringifyState({ ...state, events: [] }) : undefined);
  if (!group.isChief) Object.assign(state, parseState(text, 'the state of member 0'));
}

/** The devices of this process, and the number of those of others. */
const placesOf = (devices: readonly string[], total: number): string =>
  devices.join(', ') + (total > devices.length ? ` of ${total} devices` : '');

/** Loads the newest checkpoint of the run, else the one of an earlier run that it continues; undefined when there is neither. */
async function loadSaved(
  { job, checkpoints }: TrainingRun,
  model: TrainableModel,
  onWarning: (message: string) => void,
): Promise<SavedTraining | undefined> {
  const used = new Set(model.weights.used.map(({ name }) => name));
  const load: LoadTensors = async ({ path, readWeight, readSlot }) => {
    const read = async (name: string): Promise<Float32Array | undefined> => {
      const value = await readWeight(name);
      if (value === undefined && used.has(name)) throw new CorruptFile(path, `it lacks the weight ${name}`);
      return value;
    };
    await model.weights.load(read, path);
    await model.trainStep.loadSlots(readSlot);
  };
  const needsBest = job.config.exp_manager.checkpoint_callback_params.save_best_model;
  const latest = await checkpoints.latest({ load, onWarning, needsBest, origin: job.resumeFrom });
  if (latest !== undefined || job.resumeFrom === undefined) return latest;
  return checkpoints.earlier(job.resumeFrom, { load, onWarning });
}

/**
 * Makes sure that the weights of the best evaluation so far are in the run's own folder. Drops that evaluation when they are
 * not, or when it was ranked by another monitor. Returns a warning in that case.
 */
async function dropLostBest(
  state: TrainingState,
  { job, checkpoints }: TrainingRun,
  onWarning: (message: string) => void,
): Promise<string[]> {
  const { best } = state;
  if (best === undefined) return [];
  const { monitor } = job.config.exp_manager.checkpoint_callback_params;
  const isComparable = best.monitor === monitor;
  if (isComparable && (await checkpoints.adoptBest(best, job.resumeFrom, onWarning))) return [];
  delete state.best;
  const what = `the best evaluation before the resume (${best.monitor}=${best.value} at step ${best.step})`;
  const why = isComparable ? 'its weights no longer exist' : `this run ranks evaluations by ${monitor}`;
  return [`${what} is not considered: ${why}; the best weights are chosen from the evaluations that follow`];
}
