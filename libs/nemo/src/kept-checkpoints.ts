import { copyFile, link, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { improves } from '@nautil/metrics';
import { pythonFixed } from '@nautil/python-format';
import { writeFileAtomic } from '@nautil/store';

/** Writes a checkpoint's file, whole or not at all. */
export type WriteCheckpoint = (path: string) => Promise<void>;

export interface KeptCheckpointsOptions {
  /** `checkpoints` in the folder of the run. */
  folder: string;

  /** `exp_manager.name`, with which the files begin. */
  name: string;

  monitor: string;
  mode: 'min' | 'max';

  /** How many of the best are kept; -1: all, 0: none. */
  saveTopK: number;
  saveLast: boolean;

  /** Epochs between two that may be among the best; 0: never. */
  everyNEpochs: number;
}

/** A moment of the run, and the monitored value there. */
export interface Moment {
  /** Optimizer steps done. */
  step: number;

  /** Zero-based. */
  epoch: number;
  value: number;
}

/** What the names of files don't tell; a folder without it is read as NeMo does, from the names alone. */
interface Record {
  /** Step of the newest checkpoint. */
  step: number;

  /** Of each of the best, by file name; null: not a finite number, which its name tells. */
  values: { [file: string]: number | null };
  last?: string;

  /** The monitored value of the newest one, as it stands in the name. */
  shown: string;
}

const recordName = '.kept.json';

/**
 * The best checkpoints of a run and its last one, under the names that NeMo gives them:
 * `TextClassification--val_loss=0.6933-epoch=1.ckpt`, and `…-last.ckpt`. A new one is written before an old one goes.
 */
export class KeptCheckpoints {
  readonly #options: KeptCheckpointsOptions;
  readonly #best: Map<string, number>;
  #last: string | undefined;
  #step: number;

  /** As Lightning, which shows 0 as long as nothing was evaluated. */
  #shown: string;

  private constructor(options: KeptCheckpointsOptions, best: Map<string, number>, record: Record | undefined) {
    this.#options = options;
    this.#best = best;
    this.#last = record?.last;
    this.#step = record?.step ?? 0;
    this.#shown = record?.shown ?? shown(0);
  }

  /** Goes on with what the folder holds; what a crash left there, or more than `saveTopK`, is removed. */
  static async open(options: KeptCheckpointsOptions): Promise<KeptCheckpoints> {
    const { folder, saveTopK } = options;
    const record = await readRecord(folder);
    const best = new Map<string, number>();
    for (const file of await readdir(folder).catch((): string[] => [])) {
      const value = valueInName(file, options);
      const isBest = value !== undefined && (record === undefined || file in record.values);
      if (isBest) best.set(file, rankable(record?.values[file] ?? value, options.mode));
      else if (record !== undefined && file !== record.last && isOurs(file, options)) await rm(join(folder, file));
    }
    const kept = new KeptCheckpoints(options, best, record);
    while (saveTopK >= 0 && best.size > saveTopK) {
      const worst = kept.#worst()!;
      best.delete(worst);
      await rm(join(folder, worst), { force: true });
    }
    return kept;
  }

  /** The best of them; undefined as long as there is none. */
  get best(): string | undefined {
    const sorted = this.#sorted();
    return sorted[0] === undefined ? undefined : join(this.#options.folder, sorted[0]);
  }

  get last(): string | undefined {
    return this.#last === undefined ? undefined : join(this.#options.folder, this.#last);
  }

  /**
   * Keeps the checkpoint after an evaluation: among the best if it is one, and as the last.
   *
   * @returns what Lightning says of it; undefined for a moment that was kept before a crash, and for an epoch between.
   */
  async save(moment: Moment, write: WriteCheckpoint): Promise<string | undefined> {
    if (moment.step <= this.#step) return undefined;
    const { folder, saveLast, everyNEpochs, saveTopK } = this.#options;
    await mkdir(folder, { recursive: true });
    this.#shown = shown(moment.value);
    if (this.#step === 0) await this.#writeRecord(); // from here on, a file that is not recorded is one that a crash left
    const isCandidate = saveTopK !== 0 && everyNEpochs >= 1 && (moment.epoch + 1) % everyNEpochs === 0;
    const among = isCandidate ? await this.#saveAmongBest(moment, write) : undefined;
    this.#step = moment.step;
    const written = among?.path;
    if (saveLast)
      await this.#replaceLast(moment.epoch, written === undefined ? write : (path) => linkOrCopy(written, path));
    else await this.#writeRecord();
    return among?.message;
  }

  /** Leaves the last checkpoint as NeMo does at the end of training: named by the number of epochs that are done. */
  async end(moment: { step: number; epochsDone: number }, write: WriteCheckpoint): Promise<void> {
    if (!this.#options.saveLast) return;
    await mkdir(this.#options.folder, { recursive: true });
    const written = moment.step <= this.#step ? this.last : undefined;
    this.#step = Math.max(this.#step, moment.step);
    await this.#replaceLast(moment.epochsDone, written === undefined ? write : (path) => linkOrCopy(written, path));
  }

  async #saveAmongBest(moment: Moment, write: WriteCheckpoint): Promise<{ message: string; path?: string }> {
    const { folder, monitor, mode, saveTopK } = this.#options;
    const value = rankable(moment.value, mode);
    const isFull = saveTopK > 0 && this.#best.size >= saveTopK;
    const worst = isFull ? this.#worst() : undefined;
    const at = `Epoch ${moment.epoch}, global step ${moment.step}: '${monitor}'`;
    if (worst !== undefined && !improves(value, this.#best.get(worst)!, mode)) {
      return { message: `${at} was not in top ${saveTopK}` };
    }
    const file = this.#freeName(moment.epoch, worst);
    const path = join(folder, file);
    await write(path);
    if (worst !== undefined) this.#best.delete(worst);
    this.#best.set(file, value);
    if (worst !== undefined && worst !== file) await rm(join(folder, worst), { force: true });
    const best = this.#best.get(this.#sorted()[0]!)!;
    const top = saveTopK === -1 ? this.#best.size : saveTopK;
    return {
      path,
      message: `${at} reached ${five(value)} (best ${five(best)}), saving model to '${path}' as top ${top}`,
    };
  }

  async #replaceLast(epoch: number, write: WriteCheckpoint): Promise<void> {
    const { folder } = this.#options;
    const file = `${this.#stem(epoch)}-last.ckpt`;
    const temporary = join(folder, `.${file}.incomplete`);
    await rm(temporary, { force: true });
    await write(temporary);
    await rename(temporary, join(folder, file));
    const before = this.#last;
    this.#last = file;
    await this.#writeRecord();
    if (before !== undefined && before !== file) await rm(join(folder, before), { force: true });
  }

  /** Two evaluations of one epoch may have equal values to four digits. */
  #freeName(epoch: number, replaced: string | undefined): string {
    const name = this.#stem(epoch);
    let file = `${name}.ckpt`;
    for (let version = 1; this.#best.has(file) && file !== replaced; version++) file = `${name}-v${version}.ckpt`;
    return file;
  }

  #stem(epoch: number): string {
    const { name, monitor } = this.#options;
    return `${name}--${monitor}=${this.#shown}-epoch=${epoch}`;
  }

  /** File names, the best first. */
  #sorted(): string[] {
    const sign = this.#options.mode === 'min' ? 1 : -1;
    return [...this.#best].sort(([, a], [, b]) => (a === b ? 0 : sign * (a - b))).map(([file]) => file);
  }

  #worst(): string | undefined {
    return this.#sorted().at(-1);
  }

  async #writeRecord(): Promise<void> {
    const values = Object.fromEntries(
      [...this.#best].map(([file, value]) => [file, Number.isFinite(value) ? value : null]),
    );
    const record: Record = {
      step: this.#step,
      values,
      shown: this.#shown,
      ...(this.#last === undefined ? {} : { last: this.#last }),
    };
    await writeFileAtomic(join(this.#options.folder, recordName), JSON.stringify(record));
  }
}

/** The checkpoint that is marked as the last, when the record tells several such files apart. */
export async function recordedLast(folder: string): Promise<string | undefined> {
  return (await readRecord(folder))?.last;
}

async function readRecord(folder: string): Promise<Record | undefined> {
  const text = await readFile(join(folder, recordName), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Record);
}

/** The value in the name of one of the best, and undefined for any other file. */
function valueInName(file: string, { name, monitor }: KeptCheckpointsOptions): number | undefined {
  const start = `${name}--${monitor}=`;
  if (!file.startsWith(start)) return undefined;
  const value = /^(-?\d+\.\d+|nan|-?inf)-epoch=\d+(?:-v\d+)?\.ckpt$/.exec(file.slice(start.length))?.[1];
  return value === undefined ? undefined : Number(value.replace('inf', 'Infinity').replace('nan', 'NaN'));
}

/** Whether a file is one that is written here: of the best, the last, or half of one. */
const isOurs = (file: string, { name }: KeptCheckpointsOptions): boolean =>
  file.replace(/^\./, '').startsWith(`${name}--`) && /\.ckpt(\.incomplete)?$/.test(file);

/** A value that is no number is worse than every other, as in Lightning. */
function rankable(value: number, mode: 'min' | 'max'): number {
  if (!Number.isNaN(value)) return value;
  return mode === 'min' ? Infinity : -Infinity;
}

const shown = (value: number): string => asPython(value, 4);

const five = (value: number): string => asPython(value, 5);

function asPython(value: number, digits: number): string {
  if (Number.isFinite(value)) return pythonFixed(value, digits);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

/** The file under another name too, whole or not at all, and without a second copy of its bytes where that can be. */
export async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(async () => {
    const temporary = `${to}.incomplete`; // other disks, and some file systems, have no links
    await copyFile(from, temporary);
    await rename(temporary, to);
  });
}
