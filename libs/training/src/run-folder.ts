import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openTensors, writeSafetensors } from '@nautil/checkpoint';
import type { EpochEvaluated, TrainStepped } from '@nautil/contracts';
import type { Fence } from '@nautil/store';
import { CheckpointMismatch } from './errors.js';

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
  stopped?: 'early-stopped' | 'stopped';

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

/** Named float32 arrays in torch's layout; optimizer slots are named `optimizer/<slot>/<weight>`. */
export interface NamedArray {
  name: string;
  shape: readonly number[];
  data: Float32Array;
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

  get bestWeights(): string {
    return join(this.path, 'best.safetensors');
  }

  get lastWeights(): string {
    return join(this.path, 'last.safetensors');
  }

  /** The newest checkpoint, or undefined at the start of a run. Throws CheckpointMismatch when it is another run's. */
  async latest(): Promise<SavedState | undefined> {
    const newest = (await this.#checkpoints()).at(-1);
    return newest && this.#open(newest.path, []);
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

  /** Writes `step-N.safetensors`, then removes all but the last two. */
  async save(progress: Progress, tensors: NamedArray[]): Promise<{ path: string; sizeBytes: number }> {
    await this.#fence?.check();
    const folder = join(this.path, 'checkpoints');
    await mkdir(folder, { recursive: true });
    const path = join(folder, `step-${String(progress.step).padStart(8, '0')}.safetensors`);
    await writeSafetensors(path, tensors.map(asFloat32), {
      format: 'nautil-checkpoint',
      progress: JSON.stringify(progress),
      digests: JSON.stringify(this.#digests),
    });
    for (const old of (await this.#checkpoints()).slice(0, -kept)) await rm(old.path, { force: true });
    return { path, sizeBytes: (await stat(path)).size };
  }

  /** Writes weights alone, under NeMo's names. */
  async saveWeights(path: string, tensors: NamedArray[]): Promise<void> {
    await this.#fence?.check();
    await mkdir(this.path, { recursive: true });
    await writeSafetensors(path, tensors.map(asFloat32), { format: 'pt' });
  }

  async #checkpoints(): Promise<{ step: number; path: string }[]> {
    const folder = join(this.path, 'checkpoints');
    const names = await readdir(folder).catch((): string[] => []);
    return names
      .flatMap((name) => {
        const step = checkpointName.exec(name)?.[1];
        return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
      })
      .sort((a, b) => a.step - b.step);
  }
}

const asFloat32 = (tensor: NamedArray) => ({ ...tensor, dtype: 'F32' as const });
