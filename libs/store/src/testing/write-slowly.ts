// Starts to write a file, prints `half` when half of it is on disk, and waits to be killed.
import { writeFileAtomic } from '../write-file-atomic.js';

await writeFileAtomic(
  process.argv[2] ?? '',
  (async function* () {
    yield Buffer.from('half of ');
    console.log('half');
    await new Promise((resolve) => setTimeout(resolve, 600_000));
    yield Buffer.from('a file');
  })(),
);
