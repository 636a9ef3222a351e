import { setTimeout as sleep } from 'node:timers/promises';

/** What callers saw who call again as soon as they have an answer. */
export interface LoopResult {
  /** Milliseconds of each call, be it successful or refused, also of those that end after the time. */
  latencies: number[];
  failures: number;

  /** Successful calls per second. */
  rate: number;
}

/** A caller that was refused waits, so that it does not load the server with refused calls only. */
const pauseAfterFailureMs = 200;

/**
 * Calls `work` in `callers` loops at a time until the time is over, and waits for the last calls.
 *
 * @param work - gets the number of its caller, from 0
 */
export async function closedLoop(o: {
  callers: number;
  seconds: number;
  work: (caller: number) => Promise<unknown>;
}): Promise<LoopResult> {
  const startedAt = performance.now();
  const until = startedAt + o.seconds * 1000;
  const latencies: number[] = [];
  let failures = 0;
  const loop = async (caller: number): Promise<void> => {
    while (performance.now() < until) {
      const calledAt = performance.now();
      const failed = await o.work(caller).then(
        () => false,
        () => true,
      );
      latencies.push(performance.now() - calledAt);
      if (!failed) continue;
      failures++;
      await sleep(pauseAfterFailureMs);
    }
  };
  await Promise.all(Array.from({ length: o.callers }, (_, caller) => loop(caller)));
  return { latencies, failures, rate: (latencies.length - failures) / ((performance.now() - startedAt) / 1000) };
}

/** The value that a share of the values does not exceed; NaN without values. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** Measures one load after the other, from light to heavy, up to and including the first that is too heavy. */
export async function increaseLoad<T>(
  loads: readonly number[],
  measure: (load: number) => Promise<T>,
  isTooHeavy: (measured: T) => boolean,
): Promise<T[]> {
  const all: T[] = [];
  for (const load of loads) {
    const measured = await measure(load);
    all.push(measured);
    if (isTooHeavy(measured)) break;
  }
  return all;
}

/** Rows of named values as lists by name, for `printSideOutput`. A load under which nothing succeeded has no percentiles, and no row. */
export function figuresOf(prefix: string, rows: readonly Record<string, number>[]): Record<string, number[]> {
  const complete = rows.filter((row) => Object.values(row).every(Number.isFinite));
  const names = Object.keys(complete[0] ?? {});
  return Object.fromEntries(names.map((name) => [`${prefix}.${name}`, complete.map((row) => row[name] ?? NaN)]));
}
