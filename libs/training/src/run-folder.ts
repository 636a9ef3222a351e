import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFile, openTensors, UnsupportedFile, writeSafetensors } from '@nautil/formats';
import type { EpochEvaluated, TrainStepped } from '@nautil/contracts';
import type { NamedArray } from '@nautil/model';
import type { Fence } from '@nautil/store';
import { CheckpointMismatch } from './errors.js';
import { faultPoint } from './fault-point.js';

/** What a checkpoint holds beside tensors: with the weights and slots it decides every byte of the rest of the run. */
export interface Progress {
  /** Optimizer steps done. */
  step: number;

  /** The best evaluation so far. */
  best?: { monitor: string; value: number; step: number };

  /** Evaluations since the monitored value last improved by `min_delta`, and that value. */
  patience?: { waited: number; best: number };

  /** What ReduceLROnPlateau remembers. */
  plateau?: PlateauState;

  /** Parts that each batch is cut into, since a whole one did not fit into memory. */
  split: number;

  /** Set when the run has ended for another reason than its last step. */
  stopped?: 'early-stopped' | 'stopped' | undefined;

  /**
   * What happened since the checkpoint before this one. Trackers log from here, after the checkpoint is on disk:
   * a step that is lost with a crash was then never logged, and what is logged twice is the same row.
   */
  events: (TrainStepped | EpochEvaluated)[];
}

export interface PlateauState {
  factor: number;
  best: number | null;
  bad: number;
  cooldown: number;
}

export interface SavedState {
  path: string;
  sizeBytes: number;
  progress: Progress;

  /** By NeMo's name; undefined for a weight that the run never had. */
  readWeight(name: string): Promise<Float32Array | undefined>;

  /** By `optimizer/<slot>/<weight>`. */
  readSlot(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

const checkpointName = /^step-(\d{8,})\.safetensors$/;
const bestName = /^best-(\d{8,})\.safetensors$/;

/** The last two: the newest may be the one that a full disk or a crash interrupted. */
const kept = 2;

/**
 * A run's folder on disk, which is the truth about how far the run is. Every write is atomic, and made only while
 * this attempt holds the fence.
 */
export class RunFolder {
  readonly path: string;
  readonly #fence: Fence | undefined;
  readonly #digests: Record<string, string>;

  constructor(path: string, digests: Record<string, string>, fence?: Fence) {
    this.path = path;
    this.#digests = digests;
    this.#fence = fence;
  }

  /** By the step, so that a checkpoint from before the newest best one still has its own. */
  bestWeights(step: number): string {
    return join(this.path, `best-${stepName(step)}.safetensors`);
  }

  get lastWeights(): string {
    return join(this.path, 'last.safetensors');
  }

  /**
   * The newest whole checkpoint, or undefined at the start of a run. Throws CheckpointMismatch when it is another run's.
   *
   * @param onDamaged - told of each newer one that is not whole.
   */
  async latest(onDamaged: (message: string) => void = () => {}): Promise<SavedState | undefined> {
    for (const { path } of (await this.#checkpoints()).reverse()) {
      try {
        return await this.#open(path, []);
      } catch (error) {
        if (!(error instanceof CorruptFile || error instanceof UnsupportedFile)) throw error;
        // A disk that lies about what it has written leaves such files when the power goes. It must not outrank those to come.
        await rm(path, { force: true });
        onDamaged(`${error.message}; it was removed, and the checkpoint before it counts`);
      }
    }
    return undefined;
  }

  /**
   * A checkpoint of an earlier run, to go on from in this one: the configuration may have changed, the data and the model
   * may not. What ended that run ends nothing here, and what it logged is its own.
   */
  async earlier(path: string): Promise<SavedState> {
    const saved = await this.#open(path, ['config']);
    return { ...saved, progress: { ...saved.progress, stopped: undefined, events: [] } };
  }

  async #open(path: string, mayDiffer: readonly string[]): Promise<SavedState> {
    const source = await openTensors(path);
    const digests = JSON.parse(source.metadata['digests'] ?? '{}') as Record<string, string>;
    const differences = Object.keys({ ...digests, ...this.#digests })
      .filter((key) => digests[key] !== this.#digests[key] && !mayDiffer.includes(key))
      .map((key) => `${key} was ${digests[key] ?? 'absent'}, is ${this.#digests[key] ?? 'absent'}`);
    if (differences.length > 0) {
      await source.close();
      throw new CheckpointMismatch(path, differences);
    }
    const names = new Set(source.names());
    return {
      path,
      sizeBytes: (await stat(path)).size,
      progress: JSON.parse(source.metadata['progress'] ?? '{}') as Progress,
      readWeight: async (name) => (names.has(name) ? source.readFloat32(name) : undefined),
      readSlot: (name) => source.readFloat32(name),
      close: () => source.close(),
    };
  }

  /** Writes `step-N.safetensors`, then removes all but the last two, and best weights that none of these names. */
  async save(progress: Progress, tensors: NamedArray[]): Promise<{ path: string; sizeBytes: number }> {
    const path = join(this.path, 'checkpoints', `step-${stepName(progress.step)}.safetensors`);
    await this.#write(path, tensors, `checkpoint step ${progress.step}`, {
      format: 'nautil-checkpoint',
      progress: JSON.stringify(progress),
      digests: JSON.stringify(this.#digests),
    });
    for (const old of (await this.#checkpoints()).slice(0, -kept)) await rm(old.path, { force: true });
    const best = progress.best?.step ?? 0;
    const bests = await numbered(this.path, bestName);
    const needed = bests.filter(({ step }) => step <= best).slice(-kept);
    for (const old of bests) if (!needed.includes(old)) await rm(old.path, { force: true });
    return { path, sizeBytes: (await stat(path)).size };
  }

  /** Writes weights alone, under NeMo's names. @param step - that they are the best of */
  async saveBest(step: number, tensors: NamedArray[]): Promise<void> {
    await this.#write(this.bestWeights(step), tensors, 'weights best', { format: 'pt' });
  }

  /** Writes weights alone, under NeMo's names. */
  async saveLast(tensors: NamedArray[]): Promise<void> {
    await this.#write(this.lastWeights, tensors, 'weights last', { format: 'pt' });
  }

  /** Checks the fence before the work, and again when the file is whole: writing may have taken long. */
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

interface NumberedFile {
  step: number;
  path: string;
}

const stepName = (step: number): string => String(step).padStart(8, '0');

/** Files of a folder whose names hold a step, in the order of the steps. */
async function numbered(folder: string, pattern: RegExp): Promise<NumberedFile[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names
    .flatMap((name) => {
      const step = pattern.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
    })
    .sort((a, b) => a.step - b.step);
}
