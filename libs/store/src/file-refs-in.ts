import type { FileRef } from '@nautil/contracts';

/** Finds every file reference inside a JSON value. */
export function* fileRefsIn(value: unknown): Generator<FileRef> {
  if (typeof value !== 'object' || value === null) return;
  const { path, sha256, sizeBytes } = value as Partial<FileRef>;
  if (typeof path === 'string' && typeof sha256 === 'string' && typeof sizeBytes === 'number') {
    yield { path, sha256, sizeBytes };
  }
  for (const item of Object.values(value)) yield* fileRefsIn(item);
}
