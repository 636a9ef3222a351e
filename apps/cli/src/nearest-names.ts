import { distance } from 'fastest-levenshtein';

/** The number of names that an error proposes. */
const proposed = 3;

/** The names that are most like `name`, the nearest first: those that begin with it, contain it, or differ in a third of it. */
export function nearestNames(name: string, names: Iterable<string>): string[] {
  const wanted = name.toLowerCase();
  const mostEdits = Math.max(2, Math.floor(name.length / 3));
  return [...new Set(names)]
    .map((candidate) => ({ candidate, cost: costOf(wanted, candidate.toLowerCase()) }))
    .filter(({ cost }) => cost <= mostEdits)
    .sort((a, b) => a.cost - b.cost)
    .slice(0, proposed)
    .map(({ candidate }) => candidate);
}

/** Edits that turn one into the other; less than one for a name that has the other in it. */
function costOf(wanted: string, candidate: string): number {
  if (candidate.startsWith(wanted)) return 0.25;
  return candidate.includes(wanted) ? 0.5 : distance(wanted, candidate);
}
