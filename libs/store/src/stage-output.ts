import type { FileRef } from '@nautil/contracts';
import { mkdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalJson, sha256Of } from './digest.js';
import { explainWriteError } from './disk-full.js';
import { Store } from './store.js';
import { LockTimeout, withLock, type LockOptions } from './with-lock.js';
import { writeFileAtomic } from './write-file-atomic.js';

export interface StageOptions extends LockOptions {
  store?: Store;

  /** Leaves in the folder what an attempt that was killed had made, for a stage that goes on from there; default false. */
  keepPartial?: boolean;

  /**
   * A holder that is alive and does not end, such as one on a frozen machine, is waited for so long and then passed over. Only
   * for a `make` that fences what it writes; default: it is waited for.
   */
  takeOverAfterMs?: number;
}

export interface StageOutput<T> {
  output: T;

  /** True when it had been made before. */
  reused: boolean;

  /** Hex digest of the stage and its inputs. */
  key: string;
}

/**
 * Gives the output of a stage, making it only when it was never made from these inputs. `make` writes its files into `folder` and
 * returns JSON; file references in it are checked (there, same size) before it is reused. Of several processes that want
 * the same output at once, one makes it and the others wait for it.
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

  const found = await readOutput<T>(record);
  if (found) return { output: found.output, reused: true, key };

  const makeOnce = async (): Promise<StageOutput<T>> => {
    const madeMeanwhile = await readOutput<T>(record);
    if (madeMeanwhile) return { output: madeMeanwhile.output, reused: true, key };
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

async function readOutput<T>(record: string): Promise<{ output: T } | undefined> {
  let parsed: { output: T };
  try {
    parsed = JSON.parse(await readFile(record, 'utf8')) as { output: T };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
  for (const ref of fileRefsIn(parsed.output)) {
    const there = await stat(ref.path).catch(() => undefined);
    if (there?.size !== ref.sizeBytes) return undefined;
  }
  try {
    const now = new Date();
    await utimes(record, now, now); // garbage collection goes by last use
  } catch (error) {
    // NOTE: the record goes before its files do, so a garbage collection that began meanwhile is noticed here and waited for.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return parsed;
}

/** Every file reference inside a JSON value. */
export function* fileRefsIn(value: unknown): Generator<FileRef> {
  if (typeof value !== 'object' || value === null) return;
  const { path, sha256, sizeBytes } = value as Partial<FileRef>;
  if (typeof path === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number') {
    yield { path, sha256, sizeBytes };
  }
  for (const item of Object.values(value)) yield* fileRefsIn(item);
}
