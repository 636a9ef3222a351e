import { readFileSync, realpathSync } from 'node:fs';
import type { LibraryHandle } from 'koffi';

const MADV_DONTNEED = 4;

/**
 * Unmaps the pages of a loaded library that only the dynamic linker has read: 130 MB of TensorFlow's symbol tables. They are at
 * the start of the file, and a later access maps them again from the page cache.
 */
export function releaseLinkedPages(libc: LibraryHandle, library: string): void {
  const madvise = libc.func('madvise', 'int', ['uint64_t', 'size_t', 'int']);
  const file = realpathSync(library);
  for (const mapping of readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) r--p 00000000 +\S+ +\S+ +(.+)\n/.exec(mapping);
    // What the linker has changed exists only in memory.
    if (range?.[3] !== file || !/^Anonymous: +0 kB$/m.test(mapping)) continue;
    const [start, end] = [BigInt(`0x${range[1]}`), BigInt(`0x${range[2]}`)];
    madvise(start, end - start, MADV_DONTNEED);
  }
}
