import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '@nautil/config';
import { freeBytesAt } from '@nautil/store';
import { contains } from '@nautil/store/folders';
import type { StepCounts, TrainingSize } from '@nautil/training';

/** What a run writes to one file system. */
export interface PlannedDisk {
  /** The folders in it that the run writes to. */
  folders: string[];

  /** The most bytes that the run's files take at one time. */
  peakBytes: number;

  /** Bytes that are kept when the run has ended. */
  keptBytes: number;

  /** Bytes that this user may still write; absent if unknown. */
  freeBytes?: number;
}

export interface DiskOptions {
  config: Config;
  size: TrainingSize;
  counts: StepCounts;

  /** Bytes of the run's tokens, unless another run has written them. */
  tokensBytes: number;

  /** The state folder. */
  home: string;

  /** The log folder, which need not exist. */
  logDir: string;

  /** `model.nemo_path`; absent: the archive is in the state folder alone. */
  archive: string | undefined;

  /** Folder of the MLflow server that gets a copy of the archive; absent: it is on another machine. */
  mlflow: string | undefined;
}

interface Bytes {
  peak: number;
  kept: number;
}

/**
 * The most that a run writes, by file system: checkpoints, weights and the archive, which are hard links of one another where they can
 * be. Which of the evaluations are the best is not known, so that a run may need less.
 */
export async function planDisk(o: DiskOptions): Promise<PlannedDisk[]> {
  const { home, logDir, archive, mlflow } = o;
  const [ofHome, ofLogs] = await Promise.all([deviceAt(home), deviceAt(logDir)]);
  const links = ofHome === ofLogs;
  const parts: [folder: string, bytes: Bytes][] = [
    [home, plus(runFolderBytes(o, { links }), once(o.size.weightsBytes))],
    [logDir, logFolderBytes(o, { links })],
    ...[archive && dirname(archive), mlflow]
      .filter((folder) => folder !== undefined)
      .map((folder): [string, Bytes] => [folder, once(o.size.weightsBytes)]),
  ];
  const disks = new Map<number, PlannedDisk>();
  for (const [folder, { peak, kept }] of parts) {
    const device = await deviceAt(folder);
    const freeBytes = await freeBytesAt(folder);
    const disk = disks.get(device) ?? {
      folders: [],
      peakBytes: 0,
      keptBytes: 0,
      ...(freeBytes !== undefined && { freeBytes }),
    };
    // The archive is one file, with several names where the file system is that of the store.
    const isLink = folder !== home && folder !== logDir && folder !== mlflow && device === ofHome;
    if (!disk.folders.some((listed) => contains(listed, folder))) disk.folders.push(folder);
    disk.peakBytes += isLink ? 0 : peak;
    disk.keptBytes += isLink ? 0 : kept;
    disks.set(device, disk);
  }
  return [...disks.values()];
}

/** The checkpoints from which a run resumes, two and one that is being written; its best and its last weights; its tokens. */
function runFolderBytes(o: DiskOptions, { links }: { links: boolean }): Bytes {
  const { counts, size, tokensBytes } = o;
  const { weightsBytes, checkpointBytes } = size;
  const best = bestCheckpoints(o);
  const inLogs = links ? best : 0;
  const bestWeights = counts.evaluations > 0 ? 1 : 0;
  const training =
    Math.min(counts.checkpoints, 3 + inLogs) * checkpointBytes + Math.min(counts.evaluations, 3) * weightsBytes;
  const packaging =
    Math.min(counts.checkpoints, 2 + inLogs) * checkpointBytes + (Math.min(counts.evaluations, 2) + 1) * weightsBytes;
  return { peak: Math.max(training, packaging) + tokensBytes, kept: (1 + bestWeights) * weightsBytes + tokensBytes };
}

/** The best checkpoints and the last one, which lose the state of the optimizer when the run has ended. */
function logFolderBytes(o: DiskOptions, { links }: { links: boolean }): Bytes {
  const { config, size } = o;
  const { weightsBytes, checkpointBytes } = size;
  const { create_checkpoint_callback, checkpoint_callback_params, resume_if_exists } = config.exp_manager;
  if (!create_checkpoint_callback) return { peak: 0, kept: 0 };
  const best = bestCheckpoints(o);
  const savesLast = checkpoint_callback_params.save_last ?? false;
  // The last checkpoint is one of the best if all of them are kept.
  const files = best + (savesLast && (best === 0 || best < o.counts.evaluations) ? 1 : 0);
  const whole = resume_if_exists && savesLast ? 1 : 0;
  return {
    peak: links ? 0 : (files + (files > 0 ? 1 : 0)) * checkpointBytes,
    kept: Math.max(0, files - whole) * weightsBytes + whole * checkpointBytes,
  };
}

/** Number of best checkpoints that the log folder has in the end. */
function bestCheckpoints({ config, counts }: Pick<DiskOptions, 'config' | 'counts'>): number {
  const { create_checkpoint_callback, checkpoint_callback_params } = config.exp_manager;
  const { save_top_k: most, every_n_epochs } = checkpoint_callback_params;
  const every = every_n_epochs ?? 1;
  if (!create_checkpoint_callback || every === 0) return 0;
  const candidates = Math.floor(counts.evaluations / every);
  return most < 0 ? candidates : Math.min(most, candidates);
}

const once = (bytes: number): Bytes => ({ peak: bytes, kept: bytes });
const plus = (a: Bytes, b: Bytes): Bytes => ({ peak: a.peak + b.peak, kept: a.kept + b.kept });

/** Number of the file system of a path, which need not exist. */
async function deviceAt(path: string): Promise<number> {
  for (let folder = path; ; folder = dirname(folder)) {
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined) return found.dev;
  }
}
