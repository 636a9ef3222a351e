import { distance } from 'fastest-levenshtein';

/** The candidate that somebody who typed `word` most likely meant; undefined when none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const target = word.toLowerCase();
  let best: { candidate: string; cost: number } | undefined;
  for (const candidate of candidates) {
    const cost = distance(target, candidate.toLowerCase());
    if (!best || cost < best.cost) best = { candidate, cost };
  }
  // A third of the letters may differ: beyond that a suggestion is a guess.
  return best && best.cost <= Math.max(2, Math.floor(word.length / 3)) ? best.candidate : undefined;
}
