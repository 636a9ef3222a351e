import { createContext, Script } from 'node:vm';
import { TextRefused } from './errors.js';
import { stepsOf } from './steps-of.js';
import type { TokenizerJson } from './tokenizer-definition.js';

/** The regular expressions of the published tokenizers of encoders. None of them backtracks for long on any text. */
export const knownPatterns: ReadonlySet<string> = new Set([
  ' {2,}',
  String.raw`\s{2,}|[\n\r\t]`,
  String.raw`\A +| +\z`,
  String.raw`\A▁`,
  String.raw`\s+`,
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
]);

/** Whether a tokenizer.json has a regular expression that is not known to end soon on every text. */
export function hasForeignPattern({ normalizer, pre_tokenizer: preTokenizer }: TokenizerJson): boolean {
  return [...stepsOf(normalizer), ...stepsOf(preTokenizer)].some(({ pattern }) => {
    const { Regex: regex } = (pattern ?? {}) as { Regex?: string };
    return regex !== undefined && !knownPatterns.has(regex);
  });
}

const longestMs = 1000;
const context = createContext({ run: undefined });
const script = new Script('run()');

/**
 * Calls a function, and ends it after a second even in the middle of a regular expression, which nothing else can. Costs a
 * tenth of a millisecond.
 *
 * @throws TextRefused when the time is over
 */
export function withTimeLimit<T>(run: () => T): T {
  context['run'] = run;
  try {
    return script.runInContext(context, { timeout: longestMs }) as T;
  } catch (error) {
    // The error belongs to the other context, so that it is no instance of this one's Error.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new TextRefused('the regular expression of the tokenizer does not end within a second on one of the texts', {
      hint: 'the tokenizer.json has an unusual pattern: get it again from the model that it belongs to, or shorten the text',
    });
  } finally {
    context['run'] = undefined;
  }
}
