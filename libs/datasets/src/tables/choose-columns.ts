import { overrideOf, shellWord } from '@nautil/contracts';
import { DataError } from '../data-error.js';
import { type NameRank, nameRank, normalisedName, pairNames, type Role } from './column-names.js';
import { columnDoubt, type ColumnProfile, hasHardlyLabels, profileColumns } from './column-profile.js';
import type { Table } from './table.js';

/** The columns that a user named: `nautil.data.text_column`, `text_pair_column` and `label_column`. */
export interface NamedColumns {
  text?: string | undefined;
  textPair?: string | undefined;
  label?: string | undefined;
}

/** Whether the user named a column. */
export const namesAny = (columns: NamedColumns): boolean => Object.values(columns).some((name) => name !== undefined);

/** How to name a column, in hints: a key of the configuration, or an option of a command. */
export interface ColumnOptionNames {
  text: string;
  textPair: string;
  label: string;
}

/** What a column is chosen for. */
export type ChosenRole = keyof NamedColumns;

/** The columns of a table leave a choice, which an option makes. */
export class ColumnsUnclear extends DataError {
  /** The role whose column is to be named. */
  readonly role: ChosenRole;

  constructor(message: string, role: ChosenRole, hint: string) {
    super(message, { hint });
    this.role = role;
  }
}

export interface ColumnChoice {
  text: string;
  textPair?: string;

  /** Absent in data without labels. */
  label?: string;

  /** How the columns were found, for the report. */
  how: string;

  /** The columns that are not read. */
  others: string[];
}

export const columnKeys: ColumnOptionNames = {
  text: 'nautil.data.text_column',
  textPair: 'nautil.data.text_pair_column',
  label: 'nautil.data.label_column',
};

/** A key or an option with the name of a column, as a word that a shell passes on as it is. Names come from files of strangers. */
const settingOf = (key: string, column: string): string =>
  shellWord(key.startsWith('--') ? `${key}=${column}` : overrideOf(key, column));

const roleWords = { text: 'text', textPair: 'second text', label: 'label' } as const;
const longestExample = 30;

/**
 * Chooses the columns of texts and labels: those that the user named, else those with usual names, else those whose content
 * leaves no choice.
 *
 * @param o.needsLabel - false: the table may lack labels, and a column that is hardly one of labels is none
 * @throws DataError with all columns and examples of their values, if the choice is not clear
 */
export async function chooseColumns(
  table: Table,
  named: NamedColumns,
  o: { keys?: ColumnOptionNames; needsLabel?: boolean } = {},
): Promise<ColumnChoice> {
  const { keys = columnKeys, needsLabel = true } = o;
  const profiles = await profileColumns(table);
  if (profiles.every(({ rows }) => rows === 0))
    throw new DataError(`${table.path} has no rows`, { hint: 'name a file with examples' });
  const chooser = new Chooser(table, profiles, keys);
  for (const role of ['text', 'textPair', 'label'] as const) chooser.requireColumn(role, named[role]);
  const pair = named.text === undefined && named.textPair === undefined ? chooser.pair() : undefined;
  const taken = [named.text ?? pair?.[0], named.textPair ?? pair?.[1]].filter((name) => name !== undefined);
  const label = named.label ?? chooser.choose('label', taken, needsLabel);
  const text =
    named.text ?? pair?.[0] ?? chooser.choose('text', [...taken, ...(label === undefined ? [] : [label])], true) ?? '';
  const textPair = named.textPair ?? pair?.[1];
  chooser.requireDifferent({ text, textPair, label });
  if (label !== undefined && (needsLabel || named.label !== undefined)) chooser.checkContent(text, label);
  const chosen = [text, textPair, label].filter((name) => name !== undefined);
  return {
    text,
    ...(textPair === undefined ? {} : { textPair }),
    ...(label === undefined ? {} : { label }),
    how: chooser.how(named, { text, label }),
    others: table.columns.filter((name) => !chosen.includes(name)),
  };
}

/**
 * Chooses the columns for a trained model, which classifies either texts or pairs of texts.
 *
 * @throws DataError as `chooseColumns`, and for pairs in place of texts or the other way round
 */
export async function chooseModelColumns(
  table: Table,
  named: NamedColumns,
  o: { keys?: ColumnOptionNames; needsLabel?: boolean; pairs: boolean },
): Promise<ColumnChoice> {
  const choice = await chooseColumns(table, named, o);
  const { text, textPair } = choice;
  const { keys = columnKeys, pairs } = o;
  if (pairs === (textPair !== undefined)) return choice;
  if (pairs)
    throw new DataError(
      `${table.path}: the model reads pairs of texts, and only ${JSON.stringify(text)} is a column of texts`,
      { hint: `name the second column with ${keys.textPair}` },
    );
  throw new DataError(
    `${table.path}: the model reads single texts, and ${JSON.stringify(text)} and ${JSON.stringify(textPair)} look like pairs`,
    { hint: `name the column of the texts with ${keys.text}` },
  );
}

class Chooser {
  readonly #table: Table;
  readonly #profiles: readonly ColumnProfile[];
  readonly #keys: ColumnOptionNames;

  constructor(table: Table, profiles: readonly ColumnProfile[], keys: ColumnOptionNames) {
    this.#table = table;
    this.#profiles = profiles;
    this.#keys = keys;
  }

  requireColumn(role: keyof NamedColumns, name: string | undefined): void {
    if (name === undefined || this.#table.columns.includes(name)) return;
    throw this.#unclear(
      `${this.#table.path} has no column ${JSON.stringify(name)}, which ${this.#keys[role]} names`,
      role,
    );
  }

  /** The first two columns that are usual names of pairs. */
  pair(): [string, string] | undefined {
    const byName = new Map(this.#table.columns.map((name) => [normalisedName(name), name]));
    for (const [first, second] of pairNames) {
      const [a, b] = [byName.get(first), byName.get(second)];
      if (a !== undefined && b !== undefined) return [a, b];
    }
    return undefined;
  }

  choose(role: Role, taken: readonly string[], isNeeded: boolean): string | undefined {
    const candidates = this.#profiles.filter(({ name }) => !taken.includes(name));
    const named = this.#byName(candidates, role);
    const best = named.length > 0 ? named : candidates.filter((profile) => fits(profile, role));
    const [first] = best;
    if (first !== undefined && best.length === 1) return first.name;
    if (first === undefined) {
      if (!isNeeded) return undefined;
      throw this.#unclear(`${this.#table.path}: no column is recognised as the ${roleWords[role]}`, role);
    }
    if (!isNeeded) return undefined;
    const found = best.map(({ name }) => JSON.stringify(name)).join(', ');
    const [likeliest = first] = rankColumns(best, role);
    throw this.#unclear(`${this.#table.path}: the ${roleWords[role]} may be in ${found}`, role, likeliest.name);
  }

  /** The candidates with the most usual name; none if no name is usual. A name that is exactly the role's wins. */
  #byName(candidates: readonly ColumnProfile[], role: Role): ColumnProfile[] {
    const exact = candidates.find(({ name }) => normalisedName(name) === role);
    if (exact) return [exact];
    for (const rank of [2, 1] satisfies NameRank[]) {
      const ranked = candidates.filter(({ name }) => nameRank(name, role) === rank);
      const fitting = ranked.length > 1 ? ranked.filter((profile) => fits(profile, role)) : ranked;
      if (ranked.length > 0) return fitting.length > 0 ? fitting : ranked;
    }
    return [];
  }

  requireDifferent({
    text,
    textPair,
    label,
  }: {
    text: string;
    textPair: string | undefined;
    label: string | undefined;
  }): void {
    const repeated =
      text === label
        ? 'label'
        : textPair !== undefined && (textPair === text || textPair === label)
          ? 'textPair'
          : undefined;
    if (repeated === undefined) return;
    throw this.#unclear(
      `${this.#table.path}: column ${JSON.stringify(text === label ? text : (textPair ?? ''))} can't be two of the text, the second text and the label`,
      repeated,
    );
  }

  /** @throws DataError if the label column has texts, numbers to be predicted, or lists */
  checkContent(text: string, label: string): void {
    const profile = this.#profileOf(label);
    const place = `${this.#table.path}: column ${JSON.stringify(label)}`;
    const { fault: textFault } = this.#profileOf(text);
    if (textFault !== undefined)
      throw this.#unclear(`${this.#table.path}: column ${JSON.stringify(text)} has ${textFault}, not texts`, 'text');
    const { fault } = profile;
    if (fault !== undefined) {
      const remedy = fault === 'lists or objects' ? ': Nautil does not train with several labels for a text' : '';
      throw this.#unclear(`${place} has ${fault}, and a label is one value${remedy}`, 'label');
    }
    if (profile.isTextual && this.#profileOf(text).isLabelLike && this.#profileOf(text).distinct < profile.distinct) {
      throw new DataError(`${place} has texts, and ${JSON.stringify(text)} has labels: the two look swapped`, {
        hint: `set ${settingOf(this.#keys.text, label)} ${settingOf(this.#keys.label, text)}`,
      });
    }
    if (profile.isMeasure) {
      throw this.#unclear(
        `${place} has numbers with fractions (${examplesOf(profile)}): they are measures, not classes`,
        'label',
      );
    }
    const doubt = hasHardlyLabels(profile) ? columnDoubt(profile, 'label') : undefined;
    if (doubt !== undefined) throw this.#unclear(`${place} ${doubt}`, 'label');
  }

  how(named: NamedColumns, chosen: { text: string; label: string | undefined }): string {
    const found = (isSet: boolean, isUsual: boolean): string =>
      isSet ? 'as set' : isUsual ? 'recognised by name' : 'recognised by content';
    const isPair = this.pair()?.includes(chosen.text) === true;
    const text = found(named.text !== undefined, nameRank(chosen.text, 'text') > 0 || isPair);
    if (chosen.label === undefined) return text;
    const label = found(named.label !== undefined, nameRank(chosen.label, 'label') > 0);
    return text === label ? text : `text ${text}, label ${label}`;
  }

  #profileOf(name: string): ColumnProfile {
    const profile = this.#profiles.find((column) => column.name === name);
    if (profile === undefined) throw new Error(`column ${name} has no profile`);
    return profile;
  }

  #unclear(message: string, role: ChosenRole, example?: string): ColumnsUnclear {
    const width = this.#profiles.reduce((most, { name }) => Math.max(most, name.length), 0);
    const listed = this.#profiles.map((profile) => `  ${profile.name.padEnd(width)}  ${examplesOf(profile)}`);
    return new ColumnsUnclear(
      message,
      role,
      [
        'the columns and their first values are:',
        ...listed,
        `name the column with ${this.#keys[role]}${example === undefined ? '' : `, for example ${settingOf(this.#keys[role], example)}`}`,
      ].join('\n'),
    );
  }
}

/**
 * The columns, those first that are most plausible for a role: without a doubt, with the content and then the name of the role. Of
 * labels, fewer classes come first.
 */
export function rankColumns(profiles: readonly ColumnProfile[], role: ChosenRole): ColumnProfile[] {
  const kind = role === 'label' ? 'label' : 'text';
  const ranksOf = (profile: ColumnProfile): number[] => [
    columnDoubt(profile, role) === undefined ? 0 : 1,
    fits(profile, kind) ? 0 : 1,
    -nameRank(profile.name, kind),
    kind === 'label' ? profile.distinct : 0,
  ];
  return profiles
    .map((profile) => ({ profile, ranks: ranksOf(profile) }))
    .sort((a, b) => a.ranks.map((rank, index) => rank - (b.ranks[index] ?? 0)).find((order) => order !== 0) ?? 0)
    .map(({ profile }) => profile);
}

const fits = (profile: ColumnProfile, role: Role): boolean =>
  role === 'text' ? profile.isTextual : profile.isLabelLike;

const examplesOf = ({ examples, fault }: ColumnProfile): string =>
  fault !== undefined ? `(${fault})` : examples.length === 0 ? '(empty)' : examples.map(shortened).join(', ');

const shortened = (text: string): string =>
  JSON.stringify(text.length > longestExample ? `${text.slice(0, longestExample - 1)}…` : text);
