import { existsSync } from 'node:fs';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileRef, StageResult, TrainedModel, TrainEvent, TrainRequest } from '@nautil/contracts';
import { canonicalJson, explainWriteError, fileRef, sha256Of, stageOutput, writeFileAtomic } from '@nautil/store';
import type { TrackingTask, TrainerTask, TrainOutcome } from '@nautil/trainer-process';
import { withoutKeys } from './resolve-run.js';
import { configOf, places, redoOf } from './run-settings.js';
import { trainJobOf } from './train-job.js';

export interface TrainModelOptions {
  tracking?: TrackingTask;
  signal?: AbortSignal;

  /** Runs of one scope share a training that is equal; default: the run stays alone. */
  scope?: string;

  /** Trains, in a process of its own or in this one, and awaits `record` of every event, in order. */
  compute: (
    task: Extract<TrainerTask, { do: 'train' }>,
    record: (event: TrainEvent) => Promise<void>,
  ) => Promise<TrainOutcome>;
}

/** An attempt that ends writes a last checkpoint within two minutes; one that takes longer is frozen, and fenced off. */
const takeOverAfterMs = 180_000;

/**
 * Trains from the last checkpoint of the run's folder, or from the beginning. What checkpoints hold is kept as the run's
 * events, each once; the weights are named by digest. A training that is asked for again has a folder of its own: the
 * one before stays until the run is removed.
 */
export async function trainModel(request: TrainRequest, o: TrainModelOptions): Promise<StageResult<TrainedModel>> {
  const { run } = request;
  const redo = redoOf(run, 'train');
  const folder = join(run.folder, redo === undefined ? 'training' : `training-${sha256Of(redo).slice(0, 12)}`);
  const job = await trainJobOf({ ...request, folder });
  const eventsFile = join(folder, 'events.jsonl');
  const stopped = await isStopped(folder, request);
  const inputs = {
    ...(await trainingInputs(request)),
    scope: o.scope ?? `${run.workflowId}/${run.runKey}`,
    // Where somebody stopped one run is no place for another to end.
    ...(stopped ? { stopped: run.runKey } : {}),
    redo,
  };
  const { output, reused } = await stageOutput(
    'train',
    inputs,
    async () => {
      const seen = new SeenEvents(eventsFile);
      await seen.load();
      const outcome = await o.compute({ do: 'train', job, tracking: o.tracking }, async (event) => {
        if (event.type === 'checkpoint') await seen.append(event.events);
      });
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
    { signal: o.signal, takeOverAfterMs },
  );
  return { ...output, reused, detail: `${output.step} steps, ${output.reason}` };
}

/** True once somebody has asked for it, also for later attempts: the run stays ended there. */
async function isStopped(folder: string, { stopEarly }: TrainRequest): Promise<boolean> {
  const mark = join(folder, 'stopped-early');
  if (stopEarly) {
    await mkdir(folder, { recursive: true });
    await appendFile(mark, '');
  }
  return existsSync(mark);
}

/** What training does not read, or reads as the content whose digest stands beside it. */
const unread = [
  ...places,
  'model.test_ds',
  'model.infer_samples',
  'model.train_ds.num_workers',
  'model.train_ds.pin_memory',
  'model.validation_ds.num_workers',
  'model.validation_ds.pin_memory',
  'model.dataset.num_classes',
  'model.dataset.use_cache',
  'trainer.limit_test_batches',
  'exp_manager.checkpoint_callback_params.save_best_model',
];

/** Everything that training depends on: it is made again when one of these changes, and not when anything else does. */
async function trainingInputs({ run, inputs, tokens }: TrainRequest): Promise<Record<string, unknown>> {
  const { tree } = await configOf(run);
  const { train, validation, labels, numClasses } = inputs.data;
  return {
    config: sha256Of(canonicalJson(withoutKeys(tree, unread))),
    train: train.sha256,
    validation: validation?.sha256,
    labels: labels?.sha256,
    numClasses,
    encoder: inputs.encoderDigest,
    tokenizer: tokens.tokenizerDigest,
  };
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
    if (fresh.length === 0) return;
    const lines = fresh.map((event) => `${JSON.stringify(event)}\n`).join('');
    try {
      // On the disk before the next checkpoint is, which no longer holds them.
      await appendFile(this.#file, lines, { flush: true });
    } catch (error) {
      throw await explainWriteError(error, this.#file);
    }
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
