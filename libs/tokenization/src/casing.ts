import { charsmapOf } from './charsmap-of.js';
import { stepsOf } from './steps-of.js';
import type { PipelineStep, TokenizerDefinition } from './tokenizer-definition.js';

export interface Casing {
  lowercase: boolean;
  notes: string[];
  warnings: string[];
}

export interface CasingEvidence {
  /** The tokenizer's file, for messages. */
  source: string;

  /** The setting in the tokenizer's own files, if any. */
  inFiles: boolean | undefined;

  /** Name of the file (or kind) with that setting, for messages. */
  settingSource: string;

  /** `do_lower_case` of the run's configuration, if it was set. */
  requested: boolean | undefined;

  /** Name or path of the model or tokenizer. */
  name?: string | undefined;

  /** The tokens of a WordPiece vocabulary; empty for other kinds, whose vocabulary does not show the casing. */
  vocabulary?: Iterable<string>;

  /** Tokens of the vocabulary that are not words of a text. Their capitals are not evidence. */
  specialTokens?: Iterable<string>;
}

/**
 * Decides whether text is lower-cased. In order of priority: the tokenizer's own files, as in Hugging Face's tokenizers; the
 * configuration's `do_lower_case`; the letters of the vocabulary; the name (`…-uncased`); and Hugging Face's default for BERT,
 * which is to lower-case. The note states the decision and its reason. A warning reports each statement that was overridden, and a
 * vocabulary that contradicts the statement that decided.
 */
export function decideCasing(o: CasingEvidence): Casing {
  const vocabulary = lettersOf(o.vocabulary ?? [], new Set(o.specialTokens));
  const stated = o.inFiles ?? o.requested;
  if (stated === undefined) return { ...inferCasing(o, vocabulary), warnings: [] };
  const statement = o.inFiles === undefined ? 'do_lower_case' : o.settingSource;
  const warnings: string[] = [];
  if (o.inFiles !== undefined && o.requested !== undefined && o.requested !== o.inFiles) {
    warnings.push(
      `do_lower_case is ${o.requested}, but ${o.settingSource} has ${o.inFiles} (${o.source}): the tokenizer takes precedence`,
    );
  }
  if (!stated && vocabulary.lowercaseOnly) {
    warnings.push(
      `${o.source}: ${statement} keeps capitals, but the vocabulary has no capitals: ` +
        'most words with a capital become the unknown token',
    );
  }
  if (stated && vocabulary.capital !== undefined) {
    warnings.push(
      `${o.source}: ${statement} lower-cases text, but the vocabulary has capitals (${vocabulary.capital}): ` +
        'tokens with capitals are never used',
    );
  }
  return { lowercase: stated, notes: [noteOf(o.source, stated, statement)], warnings };
}

/** The note on the casing of a tokenizer that was stored with its model. `source` names the file, for the message. */
export function storedCasing({ json }: TokenizerDefinition, source: string): string {
  return noteOf(source, lowercases(json.normalizer), 'the tokenizer that is stored in it');
}

/** Whether the normalizer of a tokenizer.json lower-cases text. */
export function lowercases(normalizer: PipelineStep | null): boolean {
  return [...stepsOf(normalizer)].some(
    (step) =>
      step.type === 'Lowercase' ||
      (step.type === 'BertNormalizer' && step['lowercase'] === true) ||
      // The rules nfkc_cf and nmt_nfkc_cf of SentencePiece fold case.
      (step.type === 'Precompiled' && charsmapOf(step).normalize('A') === 'a'),
  );
}

function inferCasing({ source, name = '' }: CasingEvidence, vocabulary: Letters): Omit<Casing, 'warnings'> {
  const byName = casingInName(name);
  const decide = (lowercase: boolean, reason: string) => {
    const overridden = byName !== undefined && byName !== lowercase ? `, although its name is ${name}` : '';
    return { lowercase, notes: [noteOf(source, lowercase, `${reason}${overridden}`)] };
  };
  if (vocabulary.capital !== undefined) {
    return decide(false, `the capitals in its vocabulary (such as ${vocabulary.capital})`);
  }
  if (vocabulary.lowercaseOnly) return decide(true, 'a vocabulary without capitals');
  if (byName !== undefined) return decide(byName, `its name, ${name}`);
  return decide(true, 'the default for BERT: neither its files nor its vocabulary nor its name show the casing');
}

const outcome = (lowercase: boolean): string => (lowercase ? 'lower-cased' : 'not lower-cased');

const noteOf = (source: string, lowercase: boolean, reason: string): string =>
  `${source}: text is ${outcome(lowercase)}, because of ${reason}`;

/** The casing that the last component of a name states as a whole word. Undefined if it has none of the words, or both. */
function casingInName(name: string): boolean | undefined {
  const last = name.split(/[\\/]/).findLast((component) => component !== '') ?? '';
  const words = new Set(last.toLowerCase().split(/[^\p{L}\p{N}]+/u));
  const uncased = words.has('uncased');
  return uncased === words.has('cased') ? undefined : uncased;
}

interface Letters {
  /** The first token with a letter that lower-casing changes. */
  capital: string | undefined;

  /** No token has a capital, and some have a letter that is the lower case of a capital. */
  lowercaseOnly: boolean;
}

function lettersOf(vocabulary: Iterable<string>, specialTokens: ReadonlySet<string>): Letters {
  let hasLowercase = false;
  for (const token of vocabulary) {
    // Special and reserved tokens ([CLS], [unused7], <S>) have capitals in any vocabulary.
    if (specialTokens.has(token) || /^(\[.+\]|<.+>)$/.test(token)) continue;
    for (const [letter] of token.matchAll(/\p{L}/gu)) {
      // Some capitals (𝒜, U+1D49C) have no lower case, so they also occur in vocabularies of lower-cased text.
      if (letter.toLowerCase() !== letter) return { capital: token, lowercaseOnly: false };
      hasLowercase ||= letter.toUpperCase() !== letter;
    }
  }
  return { capital: undefined, lowercaseOnly: hasLowercase };
}
