export interface Casing {
  lowercase: boolean;
  notes: string[];
  warnings: string[];
}

/**
 * Decides whether text is lower-cased. In order of priority: the tokenizer's own files, `do_lower_case`, the name (`…-uncased`),
 * and capitals in the vocabulary. The note states the reason; a warning reports a `do_lower_case` that the files override.
 */
export function decideCasing(o: {
  /** The tokenizer's file, for messages. */
  source: string;

  /** The setting in the tokenizer's own files, if any. */
  inFiles: boolean | undefined;

  /** Name of the file (or kind) with that setting, for messages. */
  settingSource: string;

  /** `do_lower_case`, if it was set. */
  requested: boolean | undefined;

  name?: string | undefined;
  vocabulary?: Iterable<string>;
}): Casing {
  const { inFiles, requested } = o;
  const decide = (lowercase: boolean, reason: string): Casing => ({
    lowercase,
    notes: [`${o.source}: text is ${lowercase ? 'lower-cased' : 'not lower-cased'}, because of ${reason}`],
    warnings: [],
  });
  if (inFiles !== undefined) {
    const casing = decide(inFiles, o.settingSource);
    if (requested !== undefined && requested !== inFiles) {
      casing.warnings.push(
        `do_lower_case is ${requested}, but ${o.settingSource} has ${inFiles} (${o.source}): the tokenizer takes precedence, text is ` +
          (inFiles ? 'lower-cased' : 'not lower-cased'),
      );
    }
    return casing;
  }
  if (requested !== undefined) return decide(requested, 'do_lower_case');
  const inName = /(un)?cased/i.exec(o.name ?? '');
  if (inName) return decide(inName[1] !== undefined, `its name, ${o.name}`);
  const hasCapitals = containsCapitals(o.vocabulary ?? []);
  return decide(!hasCapitals, hasCapitals ? 'the capitals in its vocabulary' : 'a vocabulary without capitals');
}

function containsCapitals(vocabulary: Iterable<string>): boolean {
  for (const token of vocabulary) {
    // Special and reserved tokens ([CLS], [unused7], <S>) have capitals in any vocabulary.
    if (!/^(\[.+\]|<.+>)$/.test(token) && /\p{Lu}/u.test(token)) return true;
  }
  return false;
}
