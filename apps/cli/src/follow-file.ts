import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 500;
const chunkBytes = 1 << 16;

export interface FollowFileOptions {
  /** Asked when the file has been read to its end: whether more may come. */
  goesOn: () => Promise<boolean>;

  signal: AbortSignal;
}

/** Reads a file, and what is appended to it, as pieces of text; ends when nothing more comes, or at the signal. */
export async function* followFile(path: string, { goesOn, signal }: FollowFileOptions): AsyncGenerator<string> {
  const file = await open(path);
  try {
    const decoder = new TextDecoder();
    const bytes = Buffer.alloc(chunkBytes);
    // The end is read once more after the last change, because both may happen between two reads.
    for (let mayGrow = true; ;) {
      for (let read = await file.read(bytes); read.bytesRead > 0; read = await file.read(bytes))
        yield decoder.decode(bytes.subarray(0, read.bytesRead), { stream: true });
      if (!mayGrow || signal.aborted) return;
      mayGrow = await goesOn();
      if (mayGrow) await sleep(pollMs, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    await file.close();
  }
}
