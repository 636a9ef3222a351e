export interface Casing {
  lowercase: boolean;
  notes: string[];
  warnings: string[];
}

/**
 * Whether text is lower-cased: as the tokenizer's own files say, else as asked, else as the name says (`…-uncased`), else by
 * whether the vocabulary has capitals. The note says which decided; a tokenizer that overrules what was asked is a warning.
 */
export function decideCasing(o: {
  /** The file that is told about. */
  source: string;
  tokenizerSays: boolean | undefined;

  /** Where the tokenizer says it. */
  saidBy: string;

  /** `do_lower_case`, where it was set. */
  asked: boolean | undefined;

  name?: string | undefined;
  vocabulary?: Iterable<string>;
}): Casing {
  const { tokenizerSays, asked } = o;
  const decide = (lowercase: boolean, by: string): Casing => ({
    lowercase,
    notes: [`${o.source}: text is ${lowercase ? 'lower-cased' : 'not lower-cased'}, by ${by}`],
    warnings: [],
  });
  if (tokenizerSays !== undefined) {
    const casing = decide(tokenizerSays, o.saidBy);
    if (asked !== undefined && asked !== tokenizerSays) {
      casing.warnings.push(
        `do_lower_case is ${asked}, but ${o.saidBy} says ${tokenizerSays} (${o.source}): the tokenizer wins, text is ` +
          (tokenizerSays ? 'lower-cased' : 'not lower-cased'),
      );
    }
    return casing;
  }
  if (asked !== undefined) return decide(asked, 'do_lower_case');
  const inName = /(un)?cased/i.exec(o.name ?? '');
  if (inName) return decide(inName[1] !== undefined, `its name, ${o.name}`);
  const hasCapitals = someHasCapitals(o.vocabulary ?? []);
  return decide(!hasCapitals, hasCapitals ? 'the capitals in its vocabulary' : 'a vocabulary without capitals');
}

function someHasCapitals(vocabulary: Iterable<string>): boolean {
  for (const token of vocabulary) {
    // Special and reserved tokens ([CLS], [unused7], <S>) have capitals in any vocabulary.
    if (!/^(\[.+\]|<.+>)$/.test(token) && /\p{Lu}/u.test(token)) return true;
  }
  return false;
}
