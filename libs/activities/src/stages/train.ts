import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileRef, Made, TrainedModel, TrainEvent, TrainRequest } from '@nautil/contracts';
import { fileRef, stageOutput, writeFileAtomic } from '@nautil/store';
import type { TrackingTask, TrainerTask, TrainOutcome } from '@nautil/training';
import { redoOf } from './run-settings.js';
import { trainJobOf } from './train-job.js';

export interface TrainModelOptions {
  tracking?: TrackingTask;
  signal?: AbortSignal;

  /** Trains, in a process of its own or in this one, and calls `record` with every event, in order. */
  compute: (task: Extract<TrainerTask, { do: 'train' }>, record: (event: TrainEvent) => void) => Promise<TrainOutcome>;
}

/**
 * Trains from the last checkpoint of the run's folder, or from the beginning. What checkpoints hold is kept as the run's
 * events, each once; the weights are named by digest.
 */
export async function trainModel(request: TrainRequest, o: TrainModelOptions): Promise<Made<TrainedModel>> {
  const { run } = request;
  const job = await trainJobOf({ ...request, folder: join(run.folder, 'training') });
  const eventsFile = join(job.folder, 'events.jsonl');
  const inputs = { ...job.digests, redo: redoOf(run, 'train'), stopEarly: request.stopEarly, run: run.runKey };
  const { output, reused } = await stageOutput(
    'train',
    inputs,
    async () => {
      const seen = new SeenEvents(eventsFile);
      await seen.load();
      let written = Promise.resolve();
      const outcome = await o.compute({ do: 'train', job, tracking: o.tracking }, (event) => {
        if (event.type === 'checkpoint') written = written.then(() => seen.append(event.events));
      });
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
    { signal: o.signal },
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
