import { distance } from 'fastest-levenshtein';

/** The candidate that is most similar to `word`, or undefined when none is similar enough to suggest. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const target = word.toLowerCase();
  let best: { candidate: string; cost: number } | undefined;
  for (const candidate of candidates) {
    const cost = distance(target, candidate.toLowerCase());
    if (!best || cost < best.cost) best = { candidate, cost };
  }
  // At most a third of the letters may differ, but always two.
  return best && best.cost <= Math.max(2, Math.floor(word.length / 3)) ? best.candidate : undefined;
}
