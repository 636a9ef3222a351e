// Adds one to a number in a file, many times, in two steps that only a lock makes safe.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { withLock } from '../with-lock.js';

const [lock = '', file = '', times = '0'] = process.argv.slice(2);
for (let i = 0; i < Number(times); i += 1) {
  await withLock(lock, async () => {
    const before = Number(readFileSync(file, 'utf8'));
    await sleep(1);
    writeFileSync(file, String(before + 1));
  });
}
