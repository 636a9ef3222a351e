import type { JsonValue } from '@nautil/contracts';
import type { Random } from '@nautil/formats/testing/mutate';

/** What takes the place of a value: other types, limits of numbers, and texts that are names elsewhere. */
const replacements: readonly JsonValue[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  1e9,
  1e308,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  '',
  'x',
  '\u0000\u001b[31m\ud800',
  'a'.repeat(5000),
  '../../etc/passwd',
  '__proto__',
  '[UNK]',
  '(a+)+b',
  [],
  {},
  [null],
  [[]],
  { type: null },
  { type: 'Sequence' },
  { type: 'unknown' },
];

type Container = JsonValue[] | Record<string, JsonValue>;

/** Makes one to three changes to the structure of a JSON value, in place, and returns it as a text. */
export function mutateJson(original: JsonValue, random: Random): string {
  const root = [structuredClone(original)];
  for (let faults = 1 + random(3); faults > 0; faults--) change(root, random);
  const text = JSON.stringify(root[0] ?? null);
  switch (random(40)) {
    case 0:
      return text.slice(0, random(text.length));
    case 1:
      return `${'['.repeat(200_000)}${text}`;
    case 2:
      return text.replace(/:/, `:${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)},"b":`);
    default:
      return text;
  }
}

function change(root: JsonValue[], random: Random): void {
  const place = placeIn(root, random);
  if (place === undefined) return;
  const { container, key } = place;
  const value = get(container, key);
  switch (random(8)) {
    case 0:
      if (Array.isArray(container)) container.splice(Number(key), 1);
      else Reflect.deleteProperty(container, key);
      break;
    case 1:
      if (Array.isArray(container)) container.splice(Number(key), 0, structuredClone(value));
      else set(container, `${key}x`, structuredClone(value));
      break;
    case 2:
      if (!Array.isArray(container)) Reflect.deleteProperty(container, key);
      set(container, Array.isArray(container) ? key : `${key}\n`, value);
      break;
    case 3: {
      const other = placeIn(root, random);
      if (other) set(container, key, structuredClone(get(other.container, other.key)));
      break;
    }
    case 4:
      set(container, key, [value]);
      break;
    default:
      set(container, key, structuredClone(replacements[random(replacements.length)] ?? null));
  }
}

/** A random place: at each level, one of the keys, or this level itself. Places near the root are likely. */
function placeIn(root: JsonValue[], random: Random): { container: Container; key: string } | undefined {
  let place: { container: Container; key: string } = { container: root, key: '0' };
  for (;;) {
    const value = get(place.container, place.key);
    if (typeof value !== 'object' || value === null) return place;
    const keys = Object.keys(value);
    const key = keys[random(keys.length)];
    if (key === undefined || random(5) === 0) return place;
    place = { container: value, key };
  }
}

const get = (container: Container, key: string): JsonValue => (container as Record<string, JsonValue>)[key] ?? null;

function set(container: Container, key: string, value: JsonValue): void {
  Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true });
}
