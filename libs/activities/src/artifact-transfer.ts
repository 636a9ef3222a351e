import { basename, dirname, join } from 'node:path';
import type { CachedInputs, EncoderFiles, FileRef, ResolvedRun } from '@nautil/contracts';
import { encoderFilesIn } from '@nautil/formats/encoder';
import { type ArtifactStore, fileRef, fileRefsIn, stageOutput, Store, writeFileAtomic } from '@nautil/store';
import { createFolder, runFolder } from '@nautil/store/folders';
import { readChunks } from '@nautil/store/streams';
import { FilesNotShared } from './errors.js';
import type { WorkerContext } from './route-run.js';

/** The path of a file in the artifact store, as recorded for workers that have no copy of it. */
const artifactPath = /^artifact:(.+)$/;

type RoutedRun = Pick<ResolvedRun, 'home' | 'queues'>;

/**
 * Copies the files of a run between workers with different state folders, through the artifact store. Files are identified by
 * their digests, so results do not depend on the worker that runs a stage. Does nothing between workers that share their files.
 */
export class ArtifactTransfer {
  readonly #worker: WorkerContext;
  readonly #store = new Store();

  constructor(worker: WorkerContext) {
    this.#worker = worker;
  }

  /** True when the run's folder belongs to another state folder. */
  isRemote(run: RoutedRun): boolean {
    return run.home !== undefined && run.home !== this.#worker.stateFolderId;
  }

  /** The artifact store that transfers the files of a run; undefined when its workers share their files. */
  storeOf(run: RoutedRun): ArtifactStore | undefined {
    if (run.queues.gpuSharesFiles && !this.isRemote(run)) return undefined;
    if (!this.#worker.artifacts) throw new FilesNotShared(run.home ?? 'unknown', this.#worker.stateFolderId);
    return this.#worker.artifacts;
  }

  /** The request of an activity, with every file downloaded to this machine. */
  async pull<T extends { run: ResolvedRun }>(request: T): Promise<T> {
    const artifacts = this.storeOf(request.run);
    if (!artifacts) return request;
    const remote = this.isRemote(request.run);
    const local = await mapFiles(request, async (ref) => {
      const name = artifactPath.exec(ref.path)?.[1];
      if (name === undefined && !remote) return ref;
      return artifacts.get(ref, this.#store, name ?? basename(ref.path));
    });
    if (!remote) return local;
    const { workflowId, runKey } = local.run;
    const folder = runFolder(workflowId, runKey);
    await createFolder(folder);
    const run = { ...local.run, folder, logDir: join(folder, 'experiment') };
    return { ...local, run, ...(await withEncoder(local)) };
  }

  /** The result of an activity, with every file uploaded to the artifact store. */
  async push<T>(run: RoutedRun, result: T): Promise<T> {
    const artifacts = this.storeOf(run);
    if (!artifacts) return result;
    const remote = this.isRemote(run);
    return mapFiles(result, async (ref) => {
      if (artifactPath.test(ref.path)) return ref;
      await artifacts.put(ref);
      return remote ? { ...ref, path: `artifact:${basename(ref.path)}` } : ref;
    });
  }

  /** Adds references to the files of the encoder, which may be anywhere on this machine, so that `push` uploads them. */
  async addEncoderFiles<T extends CachedInputs>(run: RoutedRun, inputs: T): Promise<T> {
    if (!this.storeOf(run)) return inputs;
    const files: EncoderFiles['passed'] = [];
    for (const under of ['path', 'configFile', 'lmCheckpoint'] as const) {
      const path = inputs.encoder[under];
      if (path === undefined) continue;
      const read = under === 'configFile' ? [path] : await encoderFilesIn(path);
      for (const file of read) files.push({ under, file: await fileRef(file) });
    }
    return { ...inputs, encoder: { ...inputs.encoder, passed: files } };
  }
}

/** The request with the paths of the encoder as they are on this machine. */
async function withEncoder(request: object): Promise<{ inputs?: CachedInputs }> {
  const { inputs } = request as { inputs?: CachedInputs };
  if (!inputs) return {};
  const { passed: files = [], ...encoder } = inputs.encoder;
  for (const under of ['path', 'configFile', 'lmCheckpoint'] as const) {
    const own = files.filter((file) => file.under === under);
    const path = encoder[under];
    if (own.length === 0 || path === undefined) continue;
    const folder = await folderOf(own.map(({ file }) => file));
    // The original path is that of one of the files, or of their folder.
    const named = own.find(({ file }) => basename(file.path) === basename(path));
    encoder[under] = named ? join(folder, basename(named.file.path)) : folder;
  }
  return { inputs: { ...inputs, encoder } };
}

async function folderOf(files: FileRef[]): Promise<string> {
  const names = files.map(({ path, sha256 }) => [basename(path), sha256]);
  const { output } = await stageOutput('encoder', names, async ({ folder }) =>
    Promise.all(
      files.map(async (ref) => {
        const path = join(folder, basename(ref.path));
        await writeFileAtomic(path, readChunks(ref.path));
        return { ...ref, path };
      }),
    ),
  );
  const [first] = output;
  if (first === undefined) throw new TypeError('an encoder without files');
  return dirname(first.path);
}

/** A copy of a JSON value with each file reference replaced by what `change` returns. */
async function mapFiles<T>(value: T, change: (ref: FileRef) => Promise<FileRef>): Promise<T> {
  const changed = new Map<string, FileRef>();
  const keyOf = ({ path, sha256 }: FileRef): string => `${sha256} ${path}`;
  for (const ref of fileRefsIn(value)) if (!changed.has(keyOf(ref))) changed.set(keyOf(ref), await change(ref));
  const map = (item: unknown): unknown => {
    if (typeof item !== 'object' || item === null) return item;
    if (Array.isArray(item)) return item.map(map);
    const { path, sha256, sizeBytes } = item as Partial<FileRef>;
    if (typeof path === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number')
      return { ...item, ...changed.get(keyOf({ path, sha256, sizeBytes })) };
    return Object.fromEntries(Object.entries(item).map(([key, entry]) => [key, map(entry)]));
  };
  return map(value) as T;
}
