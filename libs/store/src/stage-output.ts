import { mkdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Type } from '@sinclair/typebox';
import type { FileRef } from '@nautil/contracts';
import { InvalidJson, jsonParser } from '@nautil/contracts/schemas';
import { canonicalJson, sha256Of } from './digest.js';
import { explainWriteError } from './disk-full.js';
import { Store } from './store.js';
import { type LockOptions, LockTimeout, withLock } from './with-lock.js';
import { writeFileAtomic } from './write-file-atomic.js';

export interface StageOptions extends LockOptions {
  store?: Store;

  /** Keeps the partial files of a killed attempt in the folder, for a stage that can resume from them. Default false. */
  keepPartial?: boolean;

  /**
   * How long to wait for another process that makes the same output. After that we make it ourselves, as when the machine of
   * that process is frozen. Safe only if `make` fences its writes. Default: wait without limit.
   */
  takeOverAfterMs?: number;
}

export interface StageOutput<T> {
  output: T;

  /** True when the output existed already. */
  reused: boolean;

  /** Hex digest of the stage and its inputs. */
  key: string;
}

/**
 * Returns the output of a stage, and runs `make` only if there is no output for these inputs yet. `make` writes its files into
 * `folder` and returns JSON. Before an output is reused, each file reference in it is checked: the file must exist with the
 * same size. When several processes want the same output at once, one makes it and the others wait.
 *
 * @example
 * const { output, reused } = await stageOutput('tokenize', { tsv: tsv.sha256, tokenizer: digest, maxLength }, async ({ folder }) =>
 *   fileRef(await buildTokenCache({ out: join(folder, 'train.tokens'), … })));
 */
export async function stageOutput<T>(
  stage: string,
  inputs: unknown,
  make: (o: { folder: string; key: string }) => Promise<T>,
  options: StageOptions = {},
): Promise<StageOutput<T>> {
  const { store = new Store(), keepPartial = false, takeOverAfterMs, signal } = options;
  const { timeoutMs = takeOverAfterMs ?? Infinity } = options;
  const key = sha256Of(canonicalJson({ stage, inputs }));
  const place = join(store.root, 'stages', stage, key);
  const record = join(place, 'output.json');
  const folder = join(place, 'files');

  // The type of a found output is that of make, which wrote it for the same stage and inputs.
  const found = await readOutput(record);
  if (found) return { output: found.output as T, reused: true, key };

  const makeOnce = async (): Promise<StageOutput<T>> => {
    const madeMeanwhile = await readOutput(record);
    if (madeMeanwhile) return { output: madeMeanwhile.output as T, reused: true, key };
    await rm(record, { force: true });
    if (!keepPartial) await rm(folder, { recursive: true, force: true });
    try {
      await mkdir(folder, { recursive: true });
      const output = await make({ folder, key });
      await writeFileAtomic(record, JSON.stringify({ stage, inputs, output }, null, 1));
      return { output, reused: false, key };
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

const parseRecord = jsonParser(Type.Object({ output: Type.Unknown() }));

async function readOutput(record: string): Promise<{ output: unknown } | undefined> {
  let parsed: { output: unknown };
  try {
    parsed = parseRecord(await readFile(record, 'utf8'), record);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof InvalidJson) return undefined;
    throw error;
  }
  for (const ref of fileRefsIn(parsed.output)) {
    const found = await stat(ref.path).catch(() => undefined);
    if (found?.size !== ref.sizeBytes) return undefined;
  }
  try {
    const now = new Date();
    await utimes(record, now, now); // garbage collection removes by the time of last use
  } catch (error) {
    // NOTE: a garbage collection removes the record before the files, so one that started in the meantime is noticed here; the
    // caller then waits for its lock.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return parsed;
}

/** Finds every file reference inside a JSON value. */
export function* fileRefsIn(value: unknown): Generator<FileRef> {
  if (typeof value !== 'object' || value === null) return;
  const { path, sha256, sizeBytes } = value as Partial<FileRef>;
  if (typeof path === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number') {
    yield { path, sha256, sizeBytes };
  }
  for (const item of Object.values(value)) yield* fileRefsIn(item);
}
