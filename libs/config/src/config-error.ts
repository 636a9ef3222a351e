import { defineError } from '@nautil/contracts';
import type { Origin } from './config-node.js';
import { showOrigin } from './config-node.js';

/** One thing wrong with a configuration. */
export interface Problem {
  /** Where the culprit was written. */
  origin?: Origin | undefined;

  /** Dotted key, when the problem is that of one key. */
  key?: string;

  /** What is wrong: a sentence without a full stop. */
  message: string;

  /** What to do: lines. */
  hint?: string[] | undefined;
}

/** A configuration that can't be used; holds every problem found, shortest key first. */
export class ConfigError extends defineError('ConfigError', 'config') {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], cause?: unknown) {
    const sorted = inReadingOrder(problems);
    const [first] = sorted;
    const single = sorted.length === 1 && first ? first : undefined;
    super(
      single ? headline(single) : `${sorted.length} problems in the configuration\n${sorted.map(block).join('\n')}`,
      { hint: single?.hint?.join('\n'), cause },
    );
    this.problems = sorted;
  }
}

/** Throws when there is anything to report. */
export function failOn(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}

function headline(problem: Problem): string {
  return problem.origin ? `${showOrigin(problem.origin)}: ${problem.message}` : problem.message;
}

function block(problem: Problem): string {
  return [headline(problem), ...(problem.hint ?? []).map((line) => `  ${line}`)].join('\n');
}

// A wrong section explains the wrong keys below it, so that it comes first.
function inReadingOrder(problems: readonly Problem[]): Problem[] {
  const depth = (problem: Problem): number => (problem.key === undefined ? 0 : problem.key.split('.').length);
  return [...problems].sort((a, b) => depth(a) - depth(b));
}
