// Takes a lock, says so, and keeps it until it is killed.
import { withLock } from '../with-lock.js';

await withLock(process.argv[2] ?? '', async () => {
  console.log('holding');
  await new Promise((resolve) => setTimeout(resolve, 600_000));
});
