import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isJsonObject } from '@nautil/contracts';
import { parseJson } from '@nautil/contracts/schemas';
import {
  CheckpointError,
  CorruptFile,
  FileUnavailable,
  openTensors,
  writeSafetensors,
  writeSealedSafetensors,
} from '@nautil/formats';
import { type NamedArray, NonFiniteWeight } from '@nautil/model';
import { type Fence, knownSha256, setAside, sha256File } from '@nautil/store';
import { requireOptimizerState } from './drop-optimizer-state.js';
import { CheckpointMismatch } from './errors.js';
import { faultPoint } from './fault-point.js';
import { checkpointFormat, openCheckpoint } from './open-checkpoint.js';
import { type BestEvaluation, parseState, stringifyState, type TrainingState } from './training-state.js';

/** A checkpoint that a training has been resumed from. */
export interface SavedTraining {
  path: string;
  sizeBytes: number;
  state: TrainingState;
}

/** An array to be written. */
export interface WrittenArray extends NamedArray {
  /** Called before the array is written; the file stays as it was when this throws. */
  readonly onWrite?: (() => void) | undefined;

  /** Called when the array has been written, and its memory may be freed. */
  readonly onWritten?: (() => void) | undefined;
}

/** The tensors of an open checkpoint. */
interface SavedTensors {
  path: string;

  /** Reads a weight by NeMo's name; undefined for a weight that the run never had. */
  readonly readWeight: (name: string) => Promise<Float32Array | undefined>;

  /** Reads optimizer state by `optimizer/<slot>/<weight>`. */
  readonly readSlot: (name: string) => Promise<Float32Array>;
}

/** Loads the tensors of a checkpoint into the model. */
export type LoadTensors = (tensors: SavedTensors) => Promise<void>;

interface LatestOptions {
  load: LoadTensors;

  /** Receives a message about each checkpoint that is not used, and about one that has no digest. */
  onWarning?: (message: string) => void;

  /** True: a checkpoint is used only together with the weights of its best evaluation, because they will be packaged. */
  needsBest?: boolean;

  /** The checkpoint of an earlier run that this run continues, which may have the weights of the best evaluation. */
  origin?: string | undefined;
}

const checkpointName = /^step-(\d{8,})\.safetensors$/;
const bestName = /^best-(\d{8,})\.safetensors$/;

/** Number of undamaged checkpoints to keep. A power cut may damage the newest, even after it was written completely. */
const keptCheckpoints = 2;

/**
 * The checkpoints and weights of one training, which determine how far it has come. Every write is atomic, and happens only
 * while this attempt holds the fence. A damaged file is never used: it is renamed, and an earlier checkpoint takes its place.
 */
export class TrainingCheckpoints {
  readonly path: string;
  readonly #fence: Fence | undefined;
  readonly #digests: Record<string, string>;

  /** The checkpoints that this process has written or verified, by path: the identity of the file, and its best evaluation. */
  readonly #sound = new Map<string, { identity: string; bestStep: number | undefined }>();

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
   * Loads the newest undamaged checkpoint, and returns its state; undefined when there is none. Checkpoints that can't be used
   * are renamed, or they would shadow those that training writes from here on.
   *
   * @throws CheckpointMismatch when the checkpoint is another run's
   */
  async latest({ load, onWarning, needsBest = false, origin }: LatestOptions): Promise<SavedTraining | undefined> {
    for (const { path } of (await this.#checkpoints()).reverse()) {
      const saved = await this.#tryLoad(path, load);
      let problem = saved instanceof Error ? saved.message : undefined;
      if (!(saved instanceof Error)) {
        const { best } = saved.state;
        if (!needsBest || best === undefined || (await this.adoptBest(best, origin, onWarning))) {
          if (!saved.hasDigest) onWarning?.(`${path} ${withoutDigest}`);
          return saved;
        }
        problem = `${path} can't be used: the weights of its best evaluation, at step ${best.step}, are damaged or missing`;
      }
      const name = await this.#setAside(path);
      onWarning?.(`${problem}; it was renamed to ${name}, and training resumes from the checkpoint before it, if any`);
    }
    return undefined;
  }

  /**
   * Loads a checkpoint of an earlier run to continue from: its configuration may differ, its data and model may not. Its stop
   * reason and its unlogged events are dropped, because they belong to that run.
   *
   * @throws CorruptFile when it is damaged
   */
  async earlier(path: string, { load, onWarning }: Pick<LatestOptions, 'load' | 'onWarning'>): Promise<SavedTraining> {
    const saved = await this.#load(path, ['config'], load);
    if (!saved.hasDigest) onWarning?.(`${path} ${withoutDigest}`);
    const { stopped: _, ...state } = saved.state;
    return { ...saved, state: { ...state, events: [] } };
  }

  /**
   * Makes sure that the weights of the best evaluation are in this folder, undamaged. Otherwise they are copied from the
   * checkpoint of that evaluation: one of this run, or one beside `origin`, because a checkpoint of an earlier run names
   * weights of that run's folder. Records their digest in `best`.
   *
   * @param origin - the earlier run's checkpoint, if this run continues one
   * @returns false when the weights exist nowhere
   */
  async adoptBest(
    best: BestEvaluation,
    origin: string | undefined,
    onWarning?: (message: string) => void,
  ): Promise<boolean> {
    const path = this.bestWeights(best.step);
    if (await stat(path).catch(() => undefined)) {
      const sha256 = await knownSha256(path).catch(undefinedIfDamaged);
      if (sha256 !== undefined && sha256 === (best.sha256 ??= sha256)) return true;
      const problem =
        sha256 === undefined ? "it can't be read" : 'its content does not match the SHA-256 in the checkpoint';
      onWarning?.(`${path}: ${problem}; it was renamed to ${await this.#setAside(path)}`);
    }
    const own = (await this.#checkpoints()).map((checkpoint) => checkpoint.path);
    const candidates = [...own, ...(origin === undefined ? [] : await checkpointsBeside(origin))];
    for (const candidate of candidates) if (await this.#copyBest(best, candidate)) return true;
    return false;
  }

  /** Whether the weights of the best evaluation are in this folder, undamaged. */
  async hasBest({ step, sha256 }: BestEvaluation): Promise<boolean> {
    return (await sha256File(this.bestWeights(step)).catch(() => undefined)) === sha256;
  }

  /** Copies the weights of a checkpoint that was written right after the best evaluation; false for any other checkpoint. */
  async #copyBest(best: BestEvaluation, path: string): Promise<boolean> {
    try {
      if (!isWrittenAt(best, await readState(path))) return false;
      const { source } = await openCheckpoint(path);
      try {
        this.#requireDigests(source.metadata.digests, path, ['config']);
        const weights: NamedArray[] = [];
        for (const name of source.names().filter((tensor) => !tensor.startsWith('optimizer/')))
          weights.push({ name, shape: [...source.info(name).shape], data: await source.readFloat32(name) });
        best.sha256 = await this.saveBest(best.step, weights);
        return true;
      } finally {
        await source.close();
      }
    } catch (error) {
      // A damaged file, or a checkpoint of another training: another one is looked for.
      if (error instanceof FileUnavailable || error instanceof CheckpointMismatch || isDamage(error)) return false;
      throw error;
    }
  }

  /** Returns the error instead of throwing it when the checkpoint is damaged. */
  async #tryLoad(path: string, load?: LoadTensors): Promise<LoadedTraining | Error> {
    try {
      const saved = await this.#load(path, [], load);
      this.#sound.set(path, { identity: await identityOf(path), bestStep: saved.state.best?.step });
      return saved;
    } catch (error) {
      if (error instanceof Error && isDamage(error)) return error;
      throw error;
    }
  }

  async #load(path: string, mayDiffer: readonly string[], load?: LoadTensors): Promise<LoadedTraining> {
    const { source, hasDigest } = await openCheckpoint(path);
    try {
      this.#requireDigests(source.metadata.digests, path, mayDiffer);
      const state = parseState(source.metadata.progress, path);
      requireOptimizerState(source, path);
      const names = new Set(source.names());
      await load?.({
        path,
        readWeight: async (name) => (names.has(name) ? source.readFloat32(name) : undefined),
        readSlot: (name) => source.readFloat32(name),
      });
      return { path, sizeBytes: (await stat(path)).size, state, hasDigest };
    } finally {
      await source.close();
    }
  }

  /** @throws CheckpointMismatch unless the digests are those of this run */
  #requireDigests(json: string | undefined, path: string, mayDiffer: readonly string[]): void {
    const digests = parseDigests(json, path);
    const differences = Object.keys({ ...digests, ...this.#digests })
      .filter((key) => digests[key] !== this.#digests[key] && !mayDiffer.includes(key))
      .map((key) => `${key} was ${digests[key] ?? 'absent'}, is ${this.#digests[key] ?? 'absent'}`);
    if (differences.length > 0) throw new CheckpointMismatch(path, differences);
  }

  /**
   * Writes `step-N.safetensors`, then removes checkpoints older than the newest two undamaged ones, and best weights that no
   * remaining checkpoint names. Each tensor is read once.
   *
   * @returns the file, and warnings about older checkpoints that are damaged
   */
  async save(
    state: TrainingState,
    tensors: readonly WrittenArray[],
  ): Promise<{ path: string; sizeBytes: number; warnings: string[] }> {
    const path = join(this.path, 'checkpoints', `step-${stepName(state.step)}.safetensors`);
    const metadata = {
      format: checkpointFormat,
      progress: stringifyState(state),
      digests: JSON.stringify(this.#digests),
    };
    await this.#check();
    await writeSealedSafetensors(path, contentsOf(tensors, `checkpoint step ${state.step}`), metadata, {
      confirm: () => this.#check(),
    });
    this.#sound.set(path, { identity: await identityOf(path), bestStep: state.best?.step });
    const warnings = await this.#removeOlder();
    return { path, sizeBytes: (await stat(path)).size, warnings };
  }

  async #removeOlder(): Promise<string[]> {
    const warnings: string[] = [];
    const kept: string[] = [];
    for (const { path } of (await this.#checkpoints()).reverse()) {
      if (kept.length === keptCheckpoints) {
        await rm(path, { force: true });
        this.#sound.delete(path);
        continue;
      }
      // A file that has changed since this process wrote or verified it is verified again.
      const isKnown = this.#sound.get(path)?.identity === (await identityOf(path));
      const saved = isKnown ? undefined : await this.#tryLoad(path);
      if (saved instanceof Error) {
        this.#sound.delete(path);
        warnings.push(`${saved.message}; it was renamed to ${await this.#setAside(path)}`);
      } else kept.push(path);
    }
    const named = new Set(kept.map((path) => this.#sound.get(path)?.bestStep));
    for (const best of await numbered(this.path, bestName))
      if (!named.has(best.step)) await rm(best.path, { force: true });
    return warnings;
  }

  /** Renames a file that can't be used, and returns its new name. Such files stay until the run is removed. */
  async #setAside(path: string): Promise<string> {
    await this.#fence?.check();
    return basename(await setAside(path));
  }

  /**
   * Writes the weights of the best evaluation, under NeMo's names.
   *
   * @param step - number of steps done at the evaluation
   * @returns the SHA-256 of the file
   */
  saveBest(step: number, tensors: readonly WrittenArray[]): Promise<string> {
    return this.#saveWeights(this.bestWeights(step), tensors, 'weights best');
  }

  /** Writes the final weights, under NeMo's names. */
  async saveLast(tensors: readonly WrittenArray[]): Promise<void> {
    await this.#saveWeights(this.lastWeights, tensors, 'weights last');
  }

  async #saveWeights(path: string, tensors: readonly WrittenArray[], point: string): Promise<string> {
    await this.#check();
    return writeSafetensors(path, contentsOf(tensors, point), weightsMetadata, { confirm: () => this.#check() });
  }

  /** Checks the fence before a file is written, and again before it is renamed into place: writing may take long. */
  async #check(): Promise<void> {
    await this.#fence?.check();
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
  // Training reports why it cannot continue from a file.
  const best = (await readState(checkpoint).catch(() => undefined))?.best;
  if (best === undefined) return [checkpoint];
  for (const candidate of await checkpointsBeside(checkpoint))
    if (await holdsBest(best, candidate)) return [...new Set([checkpoint, candidate])];
  return [checkpoint];
}

/** Whether a file is an undamaged checkpoint that was written right after the best evaluation. */
async function holdsBest(best: BestEvaluation, path: string): Promise<boolean> {
  try {
    if (!isWrittenAt(best, await readState(path))) return false;
    const { source } = await openCheckpoint(path);
    await source.close();
    return true;
  } catch {
    return false;
  }
}

/** The state in a checkpoint's metadata. The tensors are not read, so the file may still be damaged. */
async function readState(path: string): Promise<TrainingState> {
  const source = await openTensors(path);
  await source.close();
  return parseState(source.metadata.progress, path);
}

/** The checkpoints in the folder of a checkpoint of a log folder, in the order of their names. */
async function checkpointsBeside(path: string): Promise<string[]> {
  const folder = dirname(path);
  const names = (await readdir(folder).catch((): string[] => [])).filter((name) => name.endsWith('.ckpt')).sort();
  return names.map((name) => join(folder, name));
}

/** Whether a state was saved right after the best evaluation, so that its weights are the best ones. */
const isWrittenAt = (best: BestEvaluation, state: TrainingState): boolean =>
  state.step === best.step && state.best?.step === best.step && state.best.value === best.value;

interface LoadedTraining extends SavedTraining {
  hasDigest: boolean;
}

const withoutDigest =
  'was written by an earlier version of Nautil and has no digest, so a changed byte in it can go undetected';

const weightsMetadata = { format: 'pt' };

/** @param point - the fault point in the middle of the file */
function contentsOf(tensors: readonly WrittenArray[], point: string) {
  const half = Math.floor(tensors.length / 2);
  return tensors.map(({ name, shape, data, onWrite, onWritten }, index) => ({
    name,
    shape,
    dtype: 'F32' as const,
    data: async () => {
      if (index === half) await faultPoint(point);
      onWrite?.();
      return data;
    },
    onWritten,
  }));
}

/**
 * Whether an error on reading a checkpoint shows that its content is damaged. A file that can't be opened is not: a retry may
 * find it, with all its steps.
 */
const isDamage = (error: unknown): boolean =>
  (error instanceof CheckpointError && !(error instanceof FileUnavailable)) ||
  error instanceof NonFiniteWeight ||
  (error as NodeJS.ErrnoException).code === 'EIO';

function undefinedIfDamaged(error: unknown): undefined {
  if (!isDamage(error)) throw error;
}

/** Changes when a file is replaced or written to. */
async function identityOf(path: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(path, { bigint: true });
  return `${ino} ${size} ${mtimeNs}`;
}

interface NumberedFile {
  step: number;
  path: string;
}

/** A checkpoint without digests differs from every run that has some. */
function parseDigests(json: string | undefined, path: string): Partial<Record<string, string>> {
  let digests: unknown;
  try {
    digests = parseJson(json ?? '{}');
  } catch (cause) {
    throw new CorruptFile(path, 'the digests in its metadata are not JSON', { cause });
  }
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
