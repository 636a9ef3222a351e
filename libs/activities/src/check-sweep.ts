import type { SweepRequest } from '@nautil/contracts';
import { canonicalJson } from '@nautil/store';
import { checkRequest } from './stages/resolve-run.js';
import { planSweep } from './sweep-plan.js';

/**
 * Plans a sweep and checks its trials as `checkRequest` does, without starting anything.
 *
 * @throws SweepRefused, and what `checkRequest` throws
 */
export async function checkSweep(input: Omit<SweepRequest, 'sweepId'>, { cwd }: { cwd: string }): Promise<void> {
  const { fixed, trials } = await planSweep({ ...input, sweepId: 'sweep' }, { cwd });
  const seen = new Set<string>();
  for (const { overrides } of trials) {
    // The other trials differ in numbers alone, which composing has checked.
    const relevant = overrides.filter((override) => !/^[+~]*(?:model\.optim|trainer)\./.test(override));
    const key = canonicalJson(relevant);
    if (seen.has(key)) continue;
    seen.add(key);
    await checkRequest({ ...input, overrides: [...fixed, ...overrides] }, { cwd });
  }
}
