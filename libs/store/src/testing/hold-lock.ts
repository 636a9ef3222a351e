// Takes a lock, prints `holding`, and holds it until the process is killed.
import { withLock } from '../with-lock.js';

await withLock(process.argv[2] ?? '', async () => {
  console.log('holding');
  await new Promise((resolve) => setTimeout(resolve, 600_000));
});
