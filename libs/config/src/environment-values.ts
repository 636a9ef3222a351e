import { isAbsolute, relative } from 'node:path';
import { mapTexts, NautilError } from '@nautil/contracts';

/** Shorter values are not searched for in texts, where they would be found by chance. No secret is that short. */
const shortest = 4;

/**
 * Replaces the values of environment variables by their references, `${oc.env:NAME}`, in texts that are stored, logged or sent,
 * and back. The configuration itself needs no search, because it records which of its values come from the environment.
 *
 * A folder with the working folder or the state folder in it is no secret, since the paths of all files there contain it.
 */
export class EnvironmentValues {
  readonly #names = new Map<string, string>();
  readonly #values = new Map<string, string>();

  /**
   * @param names - of the variables
   * @param o.places - folders that are known anyway
   */
  constructor(
    names: readonly string[],
    o: { values?: Readonly<Record<string, string | undefined>>; places?: readonly string[] } = {},
  ) {
    const { values = process.env, places = [process.cwd()] } = o;
    for (const name of names) {
      const value = values[name];
      if (value === undefined || value.length < shortest || places.some((place) => contains(value, place))) continue;
      this.#names.set(value, name);
      this.#values.set(referenceTo(name), value);
    }
  }

  /** The text, or a copy of the JSON value, with references in place of the values. */
  conceal<T>(value: T): T {
    return replaced(value, new Map([...this.#names].map(([found, name]) => [found, referenceTo(name)])));
  }

  /** Undoes `conceal`. */
  reveal<T>(value: T): T {
    return replaced(value, this.#values);
  }

  /** An expected error with references in place of the values; any other value is returned as it is. */
  concealError(error: unknown): unknown {
    if (this.#names.size === 0 || !(error instanceof Error)) return error;
    const message = this.conceal(error.message);
    const hint = error instanceof NautilError ? this.conceal(error.hint) : undefined;
    if (message === error.message && (!(error instanceof NautilError) || hint === error.hint)) return error;
    const concealed = Object.create(error, {
      message: { value: message, enumerable: true },
      stack: { value: error.stack === undefined ? undefined : this.conceal(error.stack) },
      ...(hint === undefined ? {} : { hint: { value: hint, enumerable: true } }),
      // What caused it would be shown with it, as it is.
      cause: { value: undefined },
    }) as Error;
    return concealed;
  }
}

const referenceTo = (name: string): string => `\${oc.env:${name}}`;

function contains(folder: string, place: string): boolean {
  if (!isAbsolute(folder)) return false;
  const inside = relative(folder, place);
  return !inside.startsWith('..') && !isAbsolute(inside);
}

/** Replaces in one pass, so that nothing is found in what was just inserted; of several texts, the longest. */
function replaced<T>(value: T, replacements: ReadonlyMap<string, string>): T {
  if (replacements.size === 0) return value;
  const found = [...replacements.keys()]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(found.join('|'), 'g');
  return mapTexts(value, (text) => text.replace(pattern, (match) => replacements.get(match) ?? match));
}
