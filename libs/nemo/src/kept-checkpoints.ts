import { link, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { Ajv } from 'ajv';
import { largest, smallest } from '@nautil/contracts';
import { parseJson } from '@nautil/contracts/schemas';
import { improves } from '@nautil/metrics';
import { pythonFixed } from '@nautil/python-format';
import { writeFileAtomic } from '@nautil/store';
import { createFolder, syncFolder } from '@nautil/store/folders';
import { readChunks } from '@nautil/store/streams';

/** Writes a checkpoint to a path atomically. */
export type WriteCheckpoint = (path: string) => Promise<void>;

export interface KeptCheckpointsOptions {
  /** The run's `checkpoints` folder. */
  folder: string;

  /** `exp_manager.name`, the prefix of the file names. */
  name: string;

  monitor: string;
  mode: 'min' | 'max';

  /** Number of best checkpoints to keep; -1 keeps all, 0 none. */
  saveTopK: number;
  saveLast: boolean;

  /** Only every n-th epoch competes for the best; 0 disables the competition. */
  everyNEpochs: number;
}

/** An evaluation of the monitored value. */
export interface MonitoredEvaluation {
  /** Optimizer steps done. */
  step: number;

  /** Zero-based. */
  epoch: number;
  value: number;
}

const stateFileName = '.kept.json';

/** State that file names cannot carry. A folder without it (NeMo's own) is restored from the names alone. */
const RotationState = Type.Object({
  /** Step of the newest checkpoint. */
  step: Type.Integer({ minimum: 0 }),

  /** Monitored value of each best checkpoint by file name; null when it is not finite (the name then holds it). */
  values: Type.Record(Type.String(), Type.Union([Type.Number(), Type.Null()])),

  /** The newest monitored value, formatted as in file names. */
  shown: Type.String(),

  /** File name of the last checkpoint. */
  last: Type.Optional(Type.String()),
});
type RotationState = Static<typeof RotationState>;
const isRotationState = new Ajv({ validateSchema: false }).compile<RotationState>(RotationState);

/**
 * Keeps the best checkpoints of a run and its last one under NeMo's names,
 * `TextClassification--val_loss=0.6933-epoch=1.ckpt` and `…-last.ckpt`. It writes a new file before it removes an old one.
 */
export class KeptCheckpoints {
  readonly #options: KeptCheckpointsOptions;
  readonly #best: Map<string, number>;
  #last: string | undefined;
  #step: number;

  /** The newest monitored value in the format of file names; Lightning uses 0 before the first evaluation. */
  #valueInName: string;

  private constructor(options: KeptCheckpointsOptions, best: Map<string, number>, state: RotationState | undefined) {
    this.#options = options;
    this.#best = best;
    this.#last = state?.last;
    this.#step = state?.step ?? 0;
    this.#valueInName = state?.shown ?? formatInName(0);
  }

  /** Restores the state of a folder. Removes files that a crash left behind, and best checkpoints beyond `saveTopK`. */
  static async open(options: KeptCheckpointsOptions): Promise<KeptCheckpoints> {
    const { folder, saveTopK } = options;
    const state = await readState(folder);
    const best = new Map<string, number>();
    for (const file of await readdir(folder).catch((): string[] => [])) {
      const value = valueInName(file, options);
      const isBest = value !== undefined && (state === undefined || file in state.values);
      if (isBest) best.set(file, rankable(state?.values[file] ?? value, options.mode));
      else if (state !== undefined && file !== state.last && isCheckpointFile(file, options))
        await rm(join(folder, file));
    }
    const kept = new KeptCheckpoints(options, best, state);
    const surplus = saveTopK < 0 ? [] : kept.#sorted().slice(saveTopK);
    for (const file of surplus) {
      best.delete(file);
      await rm(join(folder, file), { force: true });
    }
    return kept;
  }

  /** Path of the best checkpoint; undefined while there is none. */
  get best(): string | undefined {
    const sorted = this.#sorted();
    return sorted[0] === undefined ? undefined : join(this.#options.folder, sorted[0]);
  }

  get last(): string | undefined {
    return this.#last === undefined ? undefined : join(this.#options.folder, this.#last);
  }

  /**
   * Saves the checkpoint of an evaluation: as one of the best if it qualifies, and as the last.
   *
   * @returns the message that Lightning logs; undefined for an evaluation that was saved before a crash, and for an epoch
   * that does not compete.
   */
  async save(evaluation: MonitoredEvaluation, write: WriteCheckpoint): Promise<string | undefined> {
    if (evaluation.step <= this.#step) return undefined;
    const { folder, saveLast, everyNEpochs, saveTopK } = this.#options;
    await createFolder(folder);
    this.#valueInName = formatInName(evaluation.value);
    // Once the state exists, `open` treats a file that it does not list as the remains of a crash.
    if (this.#step === 0) await this.#writeState();
    const isCandidate = saveTopK !== 0 && everyNEpochs >= 1 && (evaluation.epoch + 1) % everyNEpochs === 0;
    const saved = isCandidate ? await this.#saveAmongBest(evaluation, write) : undefined;
    this.#step = evaluation.step;
    const written = saved?.path;
    if (saveLast)
      await this.#replaceLast(evaluation.epoch, written === undefined ? write : (path) => linkOrCopy(written, path));
    else await this.#writeState();
    return saved?.message;
  }

  /** Writes the last checkpoint at the end of training, which NeMo names by the number of completed epochs. */
  async end(training: { step: number; epochsDone: number }, write: WriteCheckpoint): Promise<void> {
    if (!this.#options.saveLast) return;
    await createFolder(this.#options.folder);
    const written = training.step <= this.#step ? this.last : undefined;
    this.#step = Math.max(this.#step, training.step);
    await this.#replaceLast(training.epochsDone, written === undefined ? write : (path) => linkOrCopy(written, path));
  }

  async #saveAmongBest(
    evaluation: MonitoredEvaluation,
    write: WriteCheckpoint,
  ): Promise<{ message: string; path?: string }> {
    const { folder, monitor, mode, saveTopK } = this.#options;
    const value = rankable(evaluation.value, mode);
    const isFull = saveTopK > 0 && this.#best.size >= saveTopK;
    const worst = isFull ? this.#sorted().at(-1) : undefined;
    const prefix = `Epoch ${evaluation.epoch}, global step ${evaluation.step}: '${monitor}'`;
    if (worst !== undefined && !improves(value, this.#best.get(worst) ?? NaN, mode)) {
      return { message: `${prefix} was not in top ${saveTopK}` };
    }
    const file = this.#freeName(evaluation.epoch, worst);
    const path = join(folder, file);
    await write(path);
    if (worst !== undefined) this.#best.delete(worst);
    this.#best.set(file, value);
    if (worst !== undefined && worst !== file) await rm(join(folder, worst), { force: true });
    const values = this.#best.values();
    const best = mode === 'min' ? smallest(values) : largest(values);
    const top = saveTopK === -1 ? this.#best.size : saveTopK;
    return {
      path,
      message: `${prefix} reached ${toFixed5(value)} (best ${toFixed5(best)}), saving model to '${path}' as top ${top}`,
    };
  }

  async #replaceLast(epoch: number, write: WriteCheckpoint): Promise<void> {
    const { folder } = this.#options;
    const file = `${this.#stem(epoch)}-last.ckpt`;
    const temporary = join(folder, `.${file}.incomplete`);
    await rm(temporary, { force: true });
    await write(temporary);
    await rename(temporary, join(folder, file));
    await syncFolder(folder); // before the state, because `open` removes every file that the state does not list
    const before = this.#last;
    this.#last = file;
    await this.#writeState();
    if (before !== undefined && before !== file) await rm(join(folder, before), { force: true });
  }

  /** Two evaluations of one epoch can agree to four digits; Lightning then appends a version. */
  #freeName(epoch: number, replaced: string | undefined): string {
    const name = this.#stem(epoch);
    let file = `${name}.ckpt`;
    for (let version = 1; this.#best.has(file) && file !== replaced; version++) file = `${name}-v${version}.ckpt`;
    return file;
  }

  #stem(epoch: number): string {
    const { name, monitor } = this.#options;
    return `${name}--${monitor}=${this.#valueInName}-epoch=${epoch}`;
  }

  /** File names, best first. */
  #sorted(): string[] {
    const sign = this.#options.mode === 'min' ? 1 : -1;
    return [...this.#best].sort(([, a], [, b]) => (a === b ? 0 : sign * (a - b))).map(([file]) => file);
  }

  async #writeState(): Promise<void> {
    const values = Object.fromEntries(
      [...this.#best].map(([file, value]) => [file, Number.isFinite(value) ? value : null]),
    );
    const state: RotationState = {
      step: this.#step,
      values,
      shown: this.#valueInName,
      ...(this.#last === undefined ? {} : { last: this.#last }),
    };
    await writeFileAtomic(join(this.#options.folder, stateFileName), JSON.stringify(state));
  }
}

/** The file recorded as the last checkpoint, which resolves the ambiguity when a folder has several `-last.ckpt` files. */
export async function recordedLast(folder: string): Promise<string | undefined> {
  return (await readState(folder))?.last;
}

/** A missing or damaged state file is ignored: the file names hold enough to continue, as they do in NeMo's own folders. */
async function readState(folder: string): Promise<RotationState | undefined> {
  try {
    const state: unknown = parseJson(await readFile(join(folder, stateFileName), 'utf8'));
    return isRotationState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** The value in the name of a best checkpoint; undefined for any other file. */
function valueInName(file: string, { name, monitor }: KeptCheckpointsOptions): number | undefined {
  const start = `${name}--${monitor}=`;
  if (!file.startsWith(start)) return undefined;
  const value = /^(-?\d+\.\d+|nan|-?inf)-epoch=\d+(?:-v\d+)?\.ckpt$/.exec(file.slice(start.length))?.[1];
  return value === undefined ? undefined : Number(value.replace('inf', 'Infinity').replace('nan', 'NaN'));
}

/** Whether a file has a name that this class gives: a best or last checkpoint, or an incomplete one. */
const isCheckpointFile = (file: string, { name }: KeptCheckpointsOptions): boolean =>
  file.replace(/^\./, '').startsWith(`${name}--`) && /\.ckpt(\.incomplete)?$/.test(file);

/** NaN ranks below every other value, as in Lightning. */
function rankable(value: number, mode: 'min' | 'max'): number {
  if (!Number.isNaN(value)) return value;
  return mode === 'min' ? Infinity : -Infinity;
}

const formatInName = (value: number): string => pythonFormat(value, 4);

const toFixed5 = (value: number): string => pythonFormat(value, 5);

function pythonFormat(value: number, digits: number): string {
  if (Number.isFinite(value)) return pythonFixed(value, digits);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

/** Gives a file a second name by a hard link, or copies it atomically where the file system has no links. It survives a power cut. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).then(
    () => syncFolder(dirname(to)),
    () => writeFileAtomic(to, readChunks(from)),
  );
}
