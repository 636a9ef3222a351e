import { copyFile, link, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { type FileRef, largest } from '@nautil/contracts';
import { jsonParser } from '@nautil/contracts/schemas';
import { type ArtifactStore, fileRef, openArtifactStore, sha256Of, Store, writeFileAtomic } from '@nautil/store';
import { createFolder } from '@nautil/store/folders';
import { readChunks } from '@nautil/store/streams';

/** The files needed to resume a run's trainings, as a document in the artifact store. */
const Snapshot = Type.Object({
  files: Type.Array(
    Type.Object({
      // Below a training's folder, and without `..`, because the name becomes a path.
      name: Type.String({ pattern: '^training[^/]*(/(?!\\.\\.?(/|$))[^/]+)+$' }),
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      sizeBytes: Type.Integer({ minimum: 0 }),
    }),
  ),
});
type Snapshot = Static<typeof Snapshot>;
const parseSnapshot = jsonParser(Snapshot);

/** Where a run's checkpoints are replicated for workers with another state folder. */
export interface ReplicaPlace {
  /** The worker's NAUTIL_ARTIFACTS. */
  artifacts: string;
  workflowId: string;
  runKey: string;

  /** The run's folder. */
  folder: string;
}

/**
 * A copy of a run's newest checkpoints in the artifact store, from which a worker with another state folder can resume. A stale
 * replica only costs recomputed steps; results are identical.
 */
export class CheckpointReplica {
  readonly #artifacts: ArtifactStore;
  readonly #folder: string;
  readonly #name: string;

  /** Files already pushed, by name, size and time. */
  readonly #pushed = new Map<string, FileRef>();

  constructor({ artifacts, folder, workflowId, runKey }: ReplicaPlace) {
    this.#artifacts = openArtifactStore(artifacts)!;
    this.#folder = folder;
    this.#name = `texts/${sha256Of(`${workflowId}\n${runKey}`)}.json`;
  }

  /** Fills the folder if the replica is ahead of it. */
  async pull(): Promise<void> {
    const text = await this.#artifacts.readText(this.#name);
    if (text === undefined) return;
    const here = await filesIn(this.#folder);
    const isBehind = (name: string, all: string[]): boolean =>
      stepOf(here, trainingOf(name)) < stepOf(all, trainingOf(name));
    const { files } = parseSnapshot(text, `the checkpoint replica ${this.#name}`);
    const names = files.map(({ name }) => name);
    const store = new Store();
    // Checkpoints come last, so that a folder that was filled only in part is still behind, and is filled again.
    for (const file of files.sort((a, b) => stepOf([a.name]) - stepOf([b.name]))) {
      if (!isBehind(file.name, names)) continue;
      const { path } = await this.#artifacts.get(file, store, basename(file.name));
      await writeFileAtomic(join(this.#folder, file.name), readChunks(path));
    }
  }

  /**
   * Pushes the files that are new since the last push. Call it before a checkpoint's events are logged: a worker that resumes
   * from an older checkpoint would log them again, with other timestamps.
   *
   * @throws ArtifactsUnavailable
   */
  async push(): Promise<void> {
    const pinned = join(this.#folder, `passing-${process.pid}`);
    const files: Snapshot['files'] = [];
    try {
      for (const [index, name] of (await filesIn(this.#folder)).entries()) {
        const { mtimeMs, size } = await stat(join(this.#folder, name));
        const key = `${name} ${size} ${mtimeMs}`;
        const known = this.#pushed.get(key);
        // NOTE: files are replaced under their names: a link of our own keeps the bytes that were hashed.
        const ref = known ?? (await pin(join(this.#folder, name), join(pinned, String(index))));
        if (!known) await this.#artifacts.put(ref);
        this.#pushed.set(key, ref);
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
  await createFolder(dirname(to));
  if (path.endsWith('.safetensors')) await link(path, to);
  else await copyFile(path, to);
  return fileRef(to);
}

/** Names in the folders of trainings; fences, half-written files and those that were set aside stay where they are. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch((): string[] => []);
  const names = entries.filter(
    (name) => /^training[^/]*\//.test(name) && !/\/(fence|\.[^/]*)(\/|$)|\.set-aside/.test(name),
  );
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
  return largest([0, ...own.map((name) => Number(/\/checkpoints\/step-(\d+)\.safetensors$/.exec(name)?.[1] ?? 0))]);
}
