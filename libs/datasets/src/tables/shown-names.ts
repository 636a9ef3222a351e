import { listed } from '@nautil/contracts';

const longestName = 40;
const listedNames = 10;

/** A text of which at most `length` UTF-16 code units are shown. */
export const shortened = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1)}…`;

/** The name of a class for messages: of a text that was taken for a label, only the start. */
export const shownName = (name: string): string => shortened(name, longestName);

/** A label for messages, in quotation marks. */
export const quotedName = (name: string): string => JSON.stringify(shownName(name));

/** The first names of a list. */
export function shownNames(names: readonly string[]): string {
  const shown = names.map(shownName);
  return shown.length > listedNames
    ? `${shown.slice(0, listedNames).join(', ')} and ${shown.length - listedNames} more`
    : listed(shown);
}
