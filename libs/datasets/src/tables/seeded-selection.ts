/**
 * Selects `take` of `total` items at random, in one pass and in constant memory (algorithm S of Knuth, The Art of Computer
 * Programming, volume 2, 3.4.2). Each call decides on the next item. Equal seeds select equal items.
 *
 * An item may also be a group of `size` items. Groups are selected as a whole or not at all: never more than `take` items, and
 * at least one group if each has at most `take`.
 *
 * @param o.total - items, of all groups together
 */
export function seededSelection(o: { seed: number; take: number; total: number }): (size?: number) => boolean {
  const random = seededRandom(o.seed);
  let left = o.total;
  let needed = Math.min(o.take, o.total);
  return (size = 1) => {
    const isTaken = left > 0 && random() * left < needed && size <= needed;
    left -= size;
    if (isTaken) needed -= size;
    return isTaken;
  };
}

/** Uniform numbers in [0, 1) of 53 bits: two draws of splitmix32. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  const draw = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let word = state;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return (word ^ (word >>> 15)) >>> 0;
  };
  return () => ((draw() >>> 5) * 2 ** 26 + (draw() >>> 6)) / 2 ** 53;
}

/** A seed of its own for each purpose of a run's seed (FNV-1a). */
export function derivedSeed(seed: number, purpose: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const unit of purpose) hash = Math.imul(hash ^ (unit.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}
