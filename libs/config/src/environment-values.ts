import { isAbsolute } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { mapTexts, NautilError } from '@nautil/contracts';
import { contains } from '@nautil/store/folders';

/** Shorter values are not searched for in texts, where they would be found by chance. No secret is that short. */
const shortest = 4;

/**
 * Replaces the values of environment variables by their references, `${oc.env:NAME}`, in texts that are stored, logged or sent,
 * and back. The configuration itself needs no search, because it records which of its values come from the environment.
 *
 * A folder with the working folder or the state folder in it is no secret, since the paths of all files there contain it.
 */
export class EnvironmentValues {
  readonly #references = new Map<string, string>();
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
      if (value === undefined || value.length < shortest) continue;
      if (isAbsolute(value) && places.some((place) => contains(value, place))) continue;
      const reference = `\${oc.env:${name}}`;
      this.#references.set(value, reference);
      this.#values.set(reference, value);
    }
  }

  /** The text, or a copy of the JSON value, with references in place of the values. */
  conceal<T>(value: T): T {
    return replaced(value, this.#references);
  }

  /** Undoes `conceal`. */
  reveal<T>(value: T): T {
    return replaced(value, this.#values);
  }

  /**
   * The error with references in place of the values in its texts and in those of its causes. An error without the values, and
   * anything else that was thrown, is returned as it is.
   *
   * NOTE: the path of a system error stays as it is. Convert the error with `asFileError`, which shows the path, before.
   */
  concealError(error: unknown): unknown {
    if (this.#references.size === 0 || !(error instanceof Error)) return error;
    const { message, stack, cause } = error;
    const hint = error instanceof NautilError ? error.hint : undefined;
    const texts = { message, stack, hint };
    const concealed = { ...this.conceal(texts), cause: this.concealError(cause) };
    if (isDeepStrictEqual(concealed, { ...texts, cause })) return error;
    return Object.create(error, Object.getOwnPropertyDescriptors(concealed));
  }
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
