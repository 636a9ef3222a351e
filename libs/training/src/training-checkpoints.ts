import { readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isJsonObject } from '@nautil/contracts';
import { CorruptFile, openTensors, UnsupportedFile, writeSafetensors } from '@nautil/formats';
import type { NamedArray } from '@nautil/model';
import type { Fence } from '@nautil/store';
import { CheckpointMismatch } from './errors.js';
import { faultPoint } from './fault-point.js';
import { parseState, stringifyState, type TrainingState } from './training-state.js';

/** A checkpoint, opened. */
export interface SavedTraining {
  path: string;
  sizeBytes: number;
  state: TrainingState;

  /** Reads a weight by NeMo's name; undefined for a weight that the run never had. */
  readonly readWeight: (name: string) => Promise<Float32Array | undefined>;

  /** Reads optimizer state by `optimizer/<slot>/<weight>`. */
  readonly readSlot: (name: string) => Promise<Float32Array>;
  close(): Promise<void>;
}

const checkpointName = /^step-(\d{8,})\.safetensors$/;
const bestName = /^best-(\d{8,})\.safetensors$/;

/** Number of checkpoints to keep. A power cut may damage the newest, even after it was written completely. */
const keptCheckpoints = 2;

/**
 * The checkpoints and weights of one training, which determine how far it has come. Every write is atomic, and happens only
 * while this attempt holds the fence.
 */
export class TrainingCheckpoints {
  readonly path: string;
  readonly #fence: Fence | undefined;
  readonly #digests: Record<string, string>;

  constructor(path: string, digests: Record<string, string>, fence?: Fence) {
    this.path = path;
    this.#digests = digests;
    this.#fence = fence;
  }

  /** The file name has the step, so that a checkpoint older than the newest best weights still has its own best weights. */
  bestWeights(step: number): string {
    return join(this.path, `best-${stepName(step)}.safetensors`);
  }

  get lastWeights(): string {
    return join(this.path, 'last.safetensors');
  }

  /**
   * The newest undamaged checkpoint, or undefined when there is none. Throws CheckpointMismatch when it is another run's.
   *
   * @param onDamaged - receives a message about each damaged checkpoint.
   */
  async latest(onDamaged?: (message: string) => void): Promise<SavedTraining | undefined> {
    for (const { path } of (await this.#checkpoints()).reverse()) {
      try {
        return await this.#open(path, []);
      } catch (error) {
        if (!(error instanceof CorruptFile || error instanceof UnsupportedFile)) throw error;
        // After a power cut a disk may hold a truncated newest file. Delete it, or it would shadow later checkpoints.
        await rm(path, { force: true });
        onDamaged?.(`${error.message}; it was removed, and training resumes from the checkpoint before it`);
      }
    }
    return undefined;
  }

  /**
   * A checkpoint of an earlier run to continue from: its configuration may differ, its data and model may not. Its stop
   * reason and its unlogged events are dropped, because they belong to that run.
   */
  async earlier(path: string): Promise<SavedTraining> {
    const saved = await this.#open(path, ['config']);
    const { stopped: _, ...state } = saved.state;
    return { ...saved, state: { ...state, events: [] } };
  }

  /**
   * Makes sure that the weights of the best evaluation in `state` are in this folder, because a checkpoint of an earlier run
   * names weights of that run's folder. They are copied from the checkpoint of that evaluation, which is kept beside `origin`.
   *
   * @param origin - the earlier run's checkpoint, if this run continues one
   * @returns false when the weights exist nowhere
   */
  async adoptBest(best: NonNullable<TrainingState['best']>, origin: string | undefined): Promise<boolean> {
    if (await stat(this.bestWeights(best.step)).catch(() => undefined)) return true;
    if (origin === undefined) return false;
    for (const candidate of await checkpointsBeside(origin)) if (await this.#copyBest(best, candidate)) return true;
    return false;
  }

  /** Copies the weights of a checkpoint that was written right after the best evaluation; false for any other checkpoint. */
  async #copyBest(best: NonNullable<TrainingState['best']>, path: string): Promise<boolean> {
    let saved: SavedTraining;
    try {
      saved = await this.#open(path, ['config']);
    } catch {
      return false; // a damaged file, or a checkpoint of another training: another one is looked for
    }
    await saved.close();
    if (!isWrittenAt(best, saved.state)) return false;
    const source = await openTensors(path);
    try {
      const names = source.names().filter((name) => !name.startsWith('optimizer/'));
      const weights: NamedArray[] = [];
      for (const name of names)
        weights.push({ name, shape: [...source.info(name).shape], data: await source.readFloat32(name) });
      await this.saveBest(best.step, weights);
    } finally {
      await source.close();
    }
    return true;
  }

  async #open(path: string, mayDiffer: readonly string[]): Promise<SavedTraining> {
    const source = await openTensors(path);
    try {
      const digests = parseDigests(source.metadata.digests);
      const differences = Object.keys({ ...digests, ...this.#digests })
        .filter((key) => digests[key] !== this.#digests[key] && !mayDiffer.includes(key))
        .map((key) => `${key} was ${digests[key] ?? 'absent'}, is ${this.#digests[key] ?? 'absent'}`);
      if (differences.length > 0) throw new CheckpointMismatch(path, differences);
      const names = new Set(source.names());
      return {
        path,
        sizeBytes: (await stat(path)).size,
        state: parseState(source.metadata.progress, path),
        readWeight: async (name) => (names.has(name) ? source.readFloat32(name) : undefined),
        readSlot: (name) => source.readFloat32(name),
        close: () => source.close(),
      };
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** Writes `step-N.safetensors`, then removes older checkpoints, and best weights that no remaining checkpoint names. */
  async save(state: TrainingState, tensors: NamedArray[]): Promise<{ path: string; sizeBytes: number }> {
    const path = join(this.path, 'checkpoints', `step-${stepName(state.step)}.safetensors`);
    await this.#write(path, tensors, `checkpoint step ${state.step}`, {
      format: 'nautil-checkpoint',
      progress: stringifyState(state),
      digests: JSON.stringify(this.#digests),
    });
    for (const old of (await this.#checkpoints()).slice(0, -keptCheckpoints)) await rm(old.path, { force: true });
    const best = state.best?.step ?? 0;
    const bests = await numbered(this.path, bestName);
    const needed = bests.filter(({ step }) => step <= best).slice(-keptCheckpoints);
    for (const old of bests) if (!needed.includes(old)) await rm(old.path, { force: true });
    return { path, sizeBytes: (await stat(path)).size };
  }

  /** Writes the weights of the best evaluation, under NeMo's names. @param step - number of steps done at the evaluation */
  async saveBest(step: number, tensors: NamedArray[]): Promise<void> {
    await this.#write(this.bestWeights(step), tensors, 'weights best', { format: 'pt' });
  }

  /** Writes the final weights, under NeMo's names. */
  async saveLast(tensors: NamedArray[]): Promise<void> {
    await this.#write(this.lastWeights, tensors, 'weights last', { format: 'pt' });
  }

  /** Checks the fence first, and again before the file is renamed into place: writing may take long. */
  async #write(path: string, tensors: NamedArray[], point: string, metadata: Record<string, string>): Promise<void> {
    const check = async (): Promise<void> => this.#fence?.check();
    await check();
    const half = Math.floor(tensors.length / 2);
    const contents = tensors.map((tensor, i) => ({
      ...tensor,
      dtype: 'F32' as const,
      data: async () => {
        if (i === half) await faultPoint(point);
        return tensor.data;
      },
    }));
    await writeSafetensors(path, contents, metadata, { confirm: check });
  }

  #checkpoints(): Promise<NumberedFile[]> {
    return numbered(join(this.path, 'checkpoints'), checkpointName);
  }
}

/**
 * The files that continuing from a checkpoint of an earlier run needs: the checkpoint itself, and the one beside it with the
 * weights of the best evaluation so far.
 */
export async function filesToResume(checkpoint: string): Promise<string[]> {
  const best = (await stateIn(checkpoint))?.best;
  if (best === undefined) return [checkpoint];
  for (const candidate of await checkpointsBeside(checkpoint)) {
    const state = await stateIn(candidate);
    if (state && isWrittenAt(best, state)) return [...new Set([checkpoint, candidate])];
  }
  return [checkpoint];
}

/** The state in a checkpoint's metadata; undefined for a file that is not a checkpoint of ours. */
async function stateIn(path: string): Promise<TrainingState | undefined> {
  try {
    const source = await openTensors(path);
    await source.close();
    return parseState(source.metadata.progress, path);
  } catch {
    return undefined; // training reports why it cannot continue from the file
  }
}

/** The checkpoints in the folder of a checkpoint of a log folder, in the order of their names. */
async function checkpointsBeside(path: string): Promise<string[]> {
  const folder = dirname(path);
  const names = (await readdir(folder).catch((): string[] => [])).filter((name) => name.endsWith('.ckpt')).sort();
  return names.map((name) => join(folder, name));
}

/** Whether a state was saved right after the best evaluation, so that its weights are the best ones. */
const isWrittenAt = (best: NonNullable<TrainingState['best']>, state: TrainingState): boolean =>
  state.step === best.step && state.best?.step === best.step && state.best.value === best.value;

interface NumberedFile {
  step: number;
  path: string;
}

/** A checkpoint without digests differs from every run that has some. */
function parseDigests(json = '{}'): Partial<Record<string, string>> {
  const digests: unknown = JSON.parse(json);
  return isJsonObject(digests) ? (digests as Partial<Record<string, string>>) : {};
}

const stepName = (step: number): string => String(step).padStart(8, '0');

/** Files of a folder whose names contain a step, in the order of the steps. */
async function numbered(folder: string, pattern: RegExp): Promise<NumberedFile[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .flatMap((name) => {
      const step = pattern.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
    })
    .sort((a, b) => a.step - b.step);
}
