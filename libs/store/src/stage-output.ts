import { readFile, rm, utimes } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Type } from '@sinclair/typebox';
import { InvalidJson, jsonParser } from '@nautil/contracts/schemas';
import { canonicalJson, sha256Of } from './digest.js';
import { explainWriteError } from './disk-full.js';
import { fileRefsIn } from './file-refs-in.js';
import { createFolder } from './folders/create-folder.js';
import { isIntact, setAside } from './intact.js';
import { Store } from './store.js';
import { type LockOptions, LockTimeout, withLock } from './with-lock.js';
import { writeFileAtomic } from './write-file-atomic.js';

export interface StageOptions<T = unknown> extends LockOptions {
  store?: Store;

  /** Keeps the partial files of a killed attempt in the folder, for a stage that can resume from them. Default false. */
  keepPartial?: boolean;

  /**
   * How long to wait for another process that makes the same output. After that we make it ourselves, as when the machine of
   * that process is frozen. Safe only if `make` fences its writes. Default: wait without limit.
   */
  takeOverAfterMs?: number;

  /** Whether an output still is what `make` made, beyond the file references in it, which are always checked. */
  verify?: (output: T) => Promise<boolean>;
}

export interface StageOutput<T> {
  output: T;

  /** True when the output existed already. */
  reused: boolean;

  /** Hex digest of the stage and its inputs. */
  key: string;

  /** About damage to an earlier output, which was therefore made again. */
  warnings: string[];
}

/**
 * Returns the output of a stage, and runs `make` only if there is no output for these inputs yet. `make` writes its files into
 * `folder` and returns JSON. Before an output is reused, its record and each file that it refers to are compared with their
 * digests. A damaged output is renamed to `….set-aside` and made again. When several processes want the same output at once,
 * one makes it and the others wait.
 *
 * @example
 * const { output, reused } = await stageOutput('tokenize', { tsv: tsv.sha256, tokenizer: digest, maxLength }, async ({ folder }) =>
 *   fileRef(await buildTokenCache({ out: join(folder, 'train.tokens'), … })));
 */
export async function stageOutput<T>(
  stage: string,
  inputs: unknown,
  make: (o: { folder: string; key: string }) => Promise<T>,
  options: StageOptions<T> = {},
): Promise<StageOutput<T>> {
  const { store = new Store(), keepPartial = false, takeOverAfterMs, signal, verify } = options;
  const { timeoutMs = takeOverAfterMs ?? Infinity } = options;
  const { key, place, record, folder } = placeOf(stage, inputs, store);

  // The type of a found output is that of make, which wrote it for the same stage and inputs.
  const read = (): Promise<Existing | undefined> => readOutput(record, folder, (output) => verify?.(output as T));
  const found = await read();
  if (found && 'output' in found) return { output: found.output as T, reused: true, key, warnings: [] };

  const makeOnce = async (): Promise<StageOutput<T>> => {
    const existing = await read();
    if (existing && 'output' in existing) return { output: existing.output as T, reused: true, key, warnings: [] };
    const warnings: string[] = [];
    for (const damaged of existing?.damaged ?? []) {
      const kept = await setAside(damaged === folder || damaged.startsWith(folder + sep) ? folder : damaged).catch(
        ignoreMissing,
      );
      if (kept !== undefined) warnings.push(`${damaged} was damaged: ${kept} has it, and ${stage} ran again`);
    }
    await rm(record, { force: true });
    if (!keepPartial) await rm(folder, { recursive: true, force: true });
    try {
      await createFolder(folder);
      const output = await make({ folder, key });
      // Without the inputs: the key is their digest, and they may contain secrets of the configuration.
      const sha256 = sha256Of(JSON.stringify({ stage, output }));
      await writeFileAtomic(record, JSON.stringify({ version: 2, sha256, stage, output }, null, 1));
      return { output, reused: false, key, warnings };
    } catch (error) {
      if (!keepPartial) await rm(folder, { recursive: true, force: true });
      throw await explainWriteError(error, folder);
    }
  };
  return withLock(join(place, 'lock'), makeOnce, { timeoutMs, signal }).catch((error: unknown) => {
    if (takeOverAfterMs !== undefined && error instanceof LockTimeout) return makeOnce();
    throw error;
  });
}

/** Whether `stageOutput` would reuse an output. Makes none, and waits for no other process. */
export async function hasStageOutput(stage: string, inputs: unknown, store = new Store()): Promise<boolean> {
  const { record, folder } = placeOf(stage, inputs, store);
  const found = await readOutput(record, folder, () => undefined);
  return found !== undefined && 'output' in found;
}

function placeOf(stage: string, inputs: unknown, store: Store) {
  const key = sha256Of(canonicalJson({ stage, inputs }));
  const place = join(store.root, 'stages', stage, key);
  return { key, place, record: join(place, 'output.json'), folder: join(place, 'files') };
}

const parseRecord = jsonParser(
  Type.Object({
    version: Type.Optional(Type.Literal(2)),
    sha256: Type.Optional(Type.String()),
    stage: Type.Unknown(),
    inputs: Type.Optional(Type.Unknown()),
    output: Type.Optional(Type.Unknown()),
  }),
);

type Existing = { output: unknown } | { damaged: string[] };

/** The output in a record, or the paths of what is damaged; undefined when there is no output. */
async function readOutput(
  record: string,
  folder: string,
  verify: (output: unknown) => Promise<boolean> | undefined,
): Promise<Existing | undefined> {
  let output: unknown;
  try {
    const { version, sha256, ...content } = parseRecord(await readFile(record, 'utf8'), record);
    // Earlier versions wrote neither a version nor a digest.
    const isEarlier = version === undefined && sha256 === undefined;
    const { stage, inputs } = content;
    if (!isEarlier && sha256 !== sha256Of(JSON.stringify({ stage, inputs, output: content.output })))
      return { damaged: [record] };
    output = content.output;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof InvalidJson) return { damaged: [record] };
    throw error;
  }
  const damaged: string[] = [];
  for (const ref of fileRefsIn(output)) if (!(await isIntact(ref))) damaged.push(ref.path);
  if ((await verify(output)) === false) damaged.push(folder);
  if (damaged.length > 0) return { damaged };
  try {
    const now = new Date();
    await utimes(record, now, now); // garbage collection removes by the time of last use
  } catch (error) {
    // NOTE: a garbage collection removes the record before the files, so one that started in the meantime is noticed here; the
    // caller then waits for its lock.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return { output };
}

const ignoreMissing = (error: unknown): undefined => {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
};
