import { stat } from 'node:fs/promises';
import { sha256File } from './digest.js';

/** A file that does not change is read again after this time, because a disk can lose bits without changing its times. */
const trustedMs = 10 * 60_000;

/** Times of files have a resolution of a few milliseconds: a file that changed just now could change again unnoticed. */
const settledMs = 1000;

const largestNumber = 10_000;

interface Known {
  identity: string;
  sha256: string;
  atMs: number;
}

/** The digests that this process has computed, by device and inode. */
const known = new Map<string, Known>();

/** SHA-256 of a file, as `sha256File`. A file that this process has read recently and that has not changed is not read again. */
export async function knownSha256(path: string): Promise<string> {
  const { key, identity, changedMs } = await identityOf(path);
  const found = known.get(key);
  if (found?.identity === identity && performance.now() - found.atMs < trustedMs) return found.sha256;
  const sha256 = await sha256File(path);
  known.delete(key);
  if (Date.now() - changedMs >= settledMs) remember(key, { identity, sha256, atMs: performance.now() });
  return sha256;
}

/** Records the digest of a file whose times or links this process has changed, after it verified or wrote the content. */
export async function recordSha256(path: string, sha256: string): Promise<void> {
  const { key, identity } = await identityOf(path);
  remember(key, { identity, sha256, atMs: known.get(key)?.atMs ?? performance.now() });
}

function remember(key: string, entry: Known): void {
  if (known.size >= largestNumber) known.clear();
  known.set(key, entry);
}

async function identityOf(path: string): Promise<{ key: string; identity: string; changedMs: number }> {
  const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(path, { bigint: true });
  return { key: `${dev} ${ino}`, identity: `${size} ${mtimeNs} ${ctimeNs}`, changedMs: Number(ctimeMs) };
}
