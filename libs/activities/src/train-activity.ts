import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  RemoteError,
  type FileRef,
  type Made,
  type TrainedModel,
  type TrainEvent,
  type TrainHeartbeat,
  type TrainingProgress,
  type TrainRequest,
} from '@nautil/contracts';
import { fileRef, stageOutput, writeFileAtomic } from '@nautil/store';
import type { TrackingTask, TrainOutcome } from '@nautil/training';
import { CancelledFailure, Context } from '@temporalio/activity';
import { WorkerShutdown } from './errors.js';
import { redoOf } from './stages/run-settings.js';
import { trainJobOf } from './stages/train-job.js';
import { runTrainer } from './trainer-process.js';

export interface TrainDependencies {
  /** Tells the workflow where training is, for its `progress` query. */
  signalProgress: (workflowId: string, progress: TrainingProgress) => Promise<void>;
  tracking: (o: TrainRequest['run']) => TrackingTask;
}

/** The workflow hears about so many times of a run, however long it is: each time costs history. */
const signalsPerRun = 100;
const secondsBetweenSignals = 2;

/**
 * Trains in a process of its own, from the last checkpoint of the run's folder. The checkpoint is the truth; heartbeats
 * say that the trainer is alive, and where it is.
 */
export async function train(request: TrainRequest, o: TrainDependencies): Promise<Made<TrainedModel>> {
  const { run } = request;
  const context = Context.current();
  const job = await trainJobOf({ ...request, folder: join(run.folder, 'training') });
  const eventsFile = join(job.folder, 'events.jsonl');
  let place: TrainHeartbeat | undefined;

  const inputs = { ...job.digests, redo: redoOf(run, 'train'), stopEarly: request.stopEarly, run: run.runKey };
  const { output, reused } = await stageOutput(
    'train',
    inputs,
    async () => {
      const seen = new SeenEvents(eventsFile);
      await seen.load();
      const pace = new Pace();
      let written = Promise.resolve();
      const onEvent = (event: TrainEvent): void => {
        if (event.type === 'checkpoint') written = written.then(() => seen.append(event.events));
        place = placeAfter(place, event);
        if (place && pace.isDue(place, event)) void o.signalProgress(run.workflowId, place).catch(() => undefined);
      };
      let stop: ((how: 'interrupt' | 'early') => void) | undefined;
      const cancelled = context.cancelled.catch(() => stop?.('interrupt'));
      const outcome = (await runTrainer({
        task: { do: 'train', job, tracking: o.tracking(run) },
        onEvent,
        onAlive: () => context.heartbeat(place),
        onStarted: (tell) => {
          stop = tell;
          if (request.stopEarly) tell('early');
          if (context.cancellationSignal.aborted) tell('interrupt');
        },
      }).catch(async (error: unknown) => {
        if (!(error instanceof RemoteError) || error.name !== 'TrainingInterrupted') throw error;
        await cancelled;
        const { workerShutdown } = context.cancellationDetails ?? {};
        if (workerShutdown)
          throw new WorkerShutdown('the worker is shutting down; training goes on elsewhere from its checkpoint');
        throw new CancelledFailure('training was stopped at a checkpoint');
      })) as TrainOutcome;
      await written;
      return {
        lastWeights: await fileRef(outcome.lastWeights),
        ...(outcome.bestWeights ? { bestWeights: await fileRef(outcome.bestWeights) } : {}),
        ...(outcome.best ? { best: outcome.best } : {}),
        step: outcome.step,
        epoch: outcome.epoch,
        reason: outcome.reason,
        events: await existingFile(eventsFile),
      };
    },
    { signal: context.cancellationSignal },
  );
  return { ...output, reused, detail: `${output.step} steps, ${output.reason}` };
}

async function existingFile(path: string): Promise<FileRef> {
  await appendFile(path, '');
  return fileRef(path);
}

/** The logged events of a run, each once, in a file: a resumed run says again what its checkpoint holds. */
class SeenEvents {
  readonly #file: string;
  readonly #keys = new Set<string>();

  constructor(file: string) {
    this.#file = file;
  }

  async load(): Promise<void> {
    const text = await readFile(this.#file, 'utf8').catch(() => '');
    const lines = text.split('\n').filter((line) => isJson(line));
    // A line that a crash cut off is written anew.
    if (text !== '' && !text.endsWith('\n'))
      await writeFileAtomic(this.#file, lines.map((line) => `${line}\n`).join(''));
    for (const line of lines) this.#keys.add(keyOf(JSON.parse(line) as { type: string; step: number }));
  }

  async append(events: { type: string; step: number }[]): Promise<void> {
    const fresh = events.filter((event) => !this.#keys.has(keyOf(event)));
    for (const event of fresh) this.#keys.add(keyOf(event));
    if (fresh.length > 0) await appendFile(this.#file, fresh.map((event) => `${JSON.stringify(event)}\n`).join(''));
  }
}

const keyOf = ({ type, step }: { type: string; step: number }): string => `${type} ${step}`;

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

function placeAfter(place: TrainHeartbeat | undefined, event: TrainEvent): TrainHeartbeat | undefined {
  switch (event.type) {
    case 'start':
      return {
        ...place,
        step: event.step,
        totalSteps: event.totalSteps,
        epoch: 0,
        loss: place?.loss ?? 0,
        examplesPerSecond: 0,
        secondsLeft: 0,
      };
    case 'step':
      return (
        place && {
          ...place,
          step: event.step,
          epoch: event.epoch,
          loss: event.loss,
          examplesPerSecond: event.examplesPerSecond,
          secondsLeft: event.secondsLeft,
        }
      );
    case 'eval':
      return (
        place && {
          ...place,
          validation: {
            epoch: event.epoch,
            loss: event.loss,
            accuracy: event.report.accuracy,
            f1Macro: event.report.macro.f1,
          },
        }
      );
    case 'checkpoint':
      return place && { ...place, checkpointStep: event.step, checkpoint: event.path };
    default:
      return place;
  }
}

/** When the workflow should hear of progress: a hundredth of the run further, but not more often than every two seconds. */
class Pace {
  #step = -Infinity;
  #at = -Infinity;

  isDue(place: TrainHeartbeat, { type }: TrainEvent): boolean {
    const now = performance.now() / 1000;
    const further = place.step - this.#step >= place.totalSteps / signalsPerRun || type === 'eval';
    if (!further || now - this.#at < secondsBetweenSignals) return false;
    this.#step = place.step;
    this.#at = now;
    return true;
  }
}
