import { test } from '@jest/globals';

/**
 * A test of something that may be missing here. Jest then counts it as skipped, under its name with the reason, so that it
 * does not disappear from the result.
 */
export function testIf(
  available: boolean,
  reason: string,
  name: string,
  run: () => Promise<void>,
  timeoutMs?: number,
): void {
  if (available) test(name, run, timeoutMs);
  else test.skip(`${name} (skipped: ${reason})`, run);
}
