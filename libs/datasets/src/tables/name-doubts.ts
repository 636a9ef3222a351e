import { quotedName } from './shown-names.js';

/** Sentences on names of classes that are probably mistakes: two names that look alike, and names that stand for a missing label. */
export function nameDoubts(names: readonly string[]): string[] {
  const missing = names.filter((name) => /^(?:null|none|nan|n\/a|undefined)?$/i.test(visible(name).trim()));
  const alike = firstPair(names, visible);
  const cased = firstPair(names, (name) => visible(name).toLowerCase(), visible);
  return [
    ...(alike === undefined ? [] : [`${pairOf(alike)} look the same (${codePointsOf(alike)}), and are two classes`]),
    ...(cased === undefined ? [] : [`${pairOf(cased)} differ only in case, and are two classes`]),
    ...missing.slice(0, 1).map((name) => {
      const what = visible(name).trim() === '' ? `${quotedName(name)} (${pointsIn(name)})` : quotedName(name);
      return `${what} is a class: if it stands for a missing label, remove its examples`;
    }),
  ];
}

/** A name in Unicode's composed form (NFC), without characters of no width, such as U+200B. */
const visible = (name: string): string => name.normalize('NFC').replaceAll(/\p{Cf}/gu, '');

/** The first two names with equal keys, and with different ones of `other`. */
function firstPair(
  names: readonly string[],
  keyOf: (name: string) => string,
  other: (name: string) => string = (name) => name,
): [string, string] | undefined {
  const byKey = new Map<string, string>();
  for (const name of names) {
    const first = byKey.get(keyOf(name));
    if (first === undefined) byKey.set(keyOf(name), name);
    else if (other(first) !== other(name)) return [first, name];
  }
  return undefined;
}

const pairOf = ([first, second]: [string, string]): string => `${quotedName(first)} and ${quotedName(second)}`;

/** The code points in which two names differ: `U+00E9 and U+0065 U+0301`. */
function codePointsOf([first, second]: [string, string]): string {
  const [a, b] = [[...first], [...second]];
  const isSame = (at: 0 | -1): boolean => a.length > 0 && a.at(at) === b.at(at);
  while (isSame(0)) for (const points of [a, b]) points.shift();
  while (isSame(-1)) for (const points of [a, b]) points.pop();
  return `${pointsIn(a.join(''))} and ${pointsIn(b.join(''))}`;
}

const pointsIn = (text: string): string =>
  [...text]
    .slice(0, 10)
    .map((char) => `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`)
    .join(' ') || 'nothing';
