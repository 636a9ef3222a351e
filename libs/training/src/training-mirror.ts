import { chmod, copyFile, link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FileRef } from '@nautil/contracts';
import { fileRef, openArtifactStore, Store, textOfRun, type ArtifactStore } from '@nautil/store';

/** What of a run's trainings is worth going on from, in a text of the artifact store. */
interface Snapshot {
  files: { name: string; sha256: string; sizeBytes: number }[];
}

/** Where a run's trainings are kept for workers with another state folder. */
export interface MirrorPlace {
  /** NAUTIL_ARTIFACTS of the worker. */
  artifacts: string;
  workflowId: string;
  runKey: string;

  /** The run's folder. */
  folder: string;
}

/**
 * Keeps the newest checkpoint of a training where workers with another state folder find it, so that an attempt there goes on from it.
 * What is behind costs steps and changes no byte: a late or a stale attempt that writes here does no harm.
 */
export class TrainingMirror {
  readonly #artifacts: ArtifactStore;
  readonly #folder: string;
  readonly #name: string;

  /** By name, size and time: what was sent and has not changed since. */
  readonly #sent = new Map<string, FileRef>();

  constructor({ artifacts, folder, workflowId, runKey }: MirrorPlace) {
    this.#artifacts = openArtifactStore(artifacts)!;
    this.#folder = folder;
    this.#name = textOfRun(workflowId, runKey);
  }

  /** Fills the folder when another worker has come further than what lies in it. */
  async restore(): Promise<void> {
    const text = await this.#artifacts.readText(this.#name);
    if (text === undefined) return;
    const here = await filesIn(this.#folder);
    const isBehind = (name: string, all: string[]): boolean =>
      stepOf(here, trainingOf(name)) < stepOf(all, trainingOf(name));
    const { files } = JSON.parse(text) as Snapshot;
    const names = files.map(({ name }) => name);
    const store = new Store();
    // The checkpoint comes last: a folder that was filled in part is behind, and is filled again.
    for (const file of files.sort((a, b) => stepOf([a.name]) - stepOf([b.name]))) {
      if (!isBehind(file.name, names)) continue;
      const { path } = await this.#artifacts.bring(file, store, basename(file.name));
      const target = join(this.#folder, file.name);
      const temporary = join(dirname(target), `.brought-${basename(target)}`);
      await mkdir(dirname(target), { recursive: true });
      await rm(temporary, { force: true });
      await copyWritable(path, temporary);
      await rename(temporary, target);
    }
  }

  /**
   * Sends what is new since the last time. Call it before a checkpoint's rows are logged: an attempt that goes on elsewhere from an
   * older one would log them again, with other timestamps.
   *
   * @throws ArtifactsUnavailable
   */
  async send(): Promise<void> {
    const pinned = join(this.#folder, `passing-${process.pid}`);
    const files: Snapshot['files'] = [];
    try {
      for (const [index, name] of (await filesIn(this.#folder)).entries()) {
        const { mtimeMs, size } = await stat(join(this.#folder, name));
        const key = `${name} ${size} ${mtimeMs}`;
        const known = this.#sent.get(key);
        // NOTE: files are replaced under their names: a link of our own keeps the bytes that were hashed.
        const ref = known ?? (await pin(join(this.#folder, name), join(pinned, String(index))));
        if (!known) await this.#artifacts.put(ref);
        this.#sent.set(key, ref);
        files.push({ name, sha256: ref.sha256, sizeBytes: ref.sizeBytes });
      }
      await this.#artifacts.writeText(this.#name, JSON.stringify({ files } satisfies Snapshot, null, 1));
    } finally {
      await rm(pinned, { recursive: true, force: true });
    }
  }
}

/** Logs grow under their name, and are small: they are copied. */
async function pin(path: string, to: string): Promise<FileRef> {
  await mkdir(dirname(to), { recursive: true });
  if (path.endsWith('.safetensors')) await link(path, to);
  else await copyWritable(path, to);
  return fileRef(to);
}

async function copyWritable(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await chmod(to, 0o644); // objects are read-only, and a training goes on writing
}

/** Names in the folders of trainings; fences and half-written files stay where they are. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch((): string[] => []);
  const names = entries.filter((name) => /^training[^/]*\//.test(name) && !/\/(fence|\.[^/]*)(\/|$)/.test(name));
  const files = await Promise.all(
    names.map(async (name) => ((await stat(join(folder, name)).catch(() => undefined))?.isFile() ? [name] : [])),
  );
  return files.flat();
}

/** A training that was made again has a folder of its own beside the first. */
const trainingOf = (name: string): string => name.split('/')[0]!;

/** Step of the newest checkpoint among the names, of one training or of any; 0 when there is none. */
function stepOf(names: string[], training?: string): number {
  const own = training === undefined ? names : names.filter((name) => trainingOf(name) === training);
  return Math.max(0, ...own.map((name) => Number(/\/checkpoints\/step-(\d+)\.safetensors$/.exec(name)?.[1] ?? 0)));
}
