import { copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { encoderFilesIn } from '@nautil/formats';
import type { CachedInputs, EncoderFiles, FileRef, ResolvedRun } from '@nautil/contracts';
import { type ArtifactStore, fileRef, fileRefsIn, runFolder, stageOutput, Store } from '@nautil/store';
import { FilesNotShared } from './errors.js';
import type { WorkerContext } from './route-run.js';

/** Path of a file that lies in the artifact store, for workers that have no copy. */
const passed = /^artifact:(.+)$/;

type Passing = Pick<ResolvedRun, 'home' | 'queues'>;

/**
 * Brings the files of a run to a worker with another state folder, and what it makes back. Files are named by digest all the way, so
 * that nothing depends on which worker a stage runs on. Between workers that share their files it does nothing.
 */
export class ArtifactTransfer {
  readonly #workplace: WorkerContext;
  readonly #store = new Store();

  constructor(workplace: WorkerContext) {
    this.#workplace = workplace;
  }

  /** Whether the run's own folder is elsewhere. */
  isAway(run: Passing): boolean {
    return run.home !== undefined && run.home !== this.#workplace.home;
  }

  /** The store that the files of a run go through; undefined when they go through none. */
  artifactsOf(run: Passing): ArtifactStore | undefined {
    if (run.queues.gpuSharesFiles && !this.isAway(run)) return undefined;
    if (!this.#workplace.artifacts) throw new FilesNotShared(run.home ?? 'unknown', this.#workplace.home);
    return this.#workplace.artifacts;
  }

  /** What an activity is asked for, with every file on this machine. */
  async receive<T extends { run: ResolvedRun }>(request: T): Promise<T> {
    const artifacts = this.artifactsOf(request.run);
    if (!artifacts) return request;
    const away = this.isAway(request.run);
    const here = await mapFiles(request, async (ref) => {
      const name = passed.exec(ref.path)?.[1];
      if (name === undefined && !away) return ref;
      return artifacts.bring(ref, this.#store, name ?? basename(ref.path));
    });
    if (!away) return here;
    const { workflowId, runKey } = here.run;
    const folder = runFolder(workflowId, runKey);
    await mkdir(folder, { recursive: true });
    const run = { ...here.run, folder, logDir: join(folder, 'experiment') };
    return { ...here, run, ...(await withEncoder(here)) };
  }

  /** What an activity made, kept where the other workers find it. */
  async send<T>(run: Passing, made: T): Promise<T> {
    const artifacts = this.artifactsOf(run);
    if (!artifacts) return made;
    const away = this.isAway(run);
    return mapFiles(made, async (ref) => {
      if (passed.test(ref.path)) return ref;
      await artifacts.put(ref);
      return away ? { ...ref, path: `artifact:${basename(ref.path)}` } : ref;
    });
  }

  /** Adds the files of the encoder, which lie anywhere on this machine, to what is sent. */
  async listEncoder<T extends CachedInputs>(run: Passing, inputs: T): Promise<T> {
    if (!this.artifactsOf(run)) return inputs;
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

/** The encoder's paths as they are on this machine. */
async function withEncoder(request: object): Promise<{ inputs?: CachedInputs }> {
  const { inputs } = request as { inputs?: CachedInputs };
  if (!inputs) return {};
  const { passed: files = [], ...encoder } = inputs.encoder;
  for (const under of ['path', 'configFile', 'lmCheckpoint'] as const) {
    const own = files.filter((file) => file.under === under);
    if (own.length === 0) continue;
    const folder = await folderOf(own.map(({ file }) => file));
    // The path named one of the files, or their folder.
    const named = own.find(({ file }) => basename(file.path) === basename(encoder[under]!));
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
        await copyFile(ref.path, path);
        return { ...ref, path };
      }),
    ),
  );
  return join(output[0]!.path, '..');
}

/** A JSON value with each file reference replaced, one after the other. */
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
