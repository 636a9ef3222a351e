import { NautilError } from '@nautil/contracts';
import type { Origin } from './config-node.js';
import { showOrigin } from './config-node.js';

/** One problem in a configuration. */
export interface Problem {
  /** The source of the wrong key or value. */
  origin?: Origin | undefined;

  /** The dotted key, when the problem concerns one key. */
  key?: string;

  /** A sentence without a full stop. */
  message: string;

  /** What to do, as lines of text. */
  hint?: string[] | undefined;

  /** The value is sound, and the file, folder or model that it names is missing or can't be used. */
  inData?: boolean;
}

/** An invalid configuration, with every problem found. Problems are sorted by the depth of their keys. */
export class ConfigError extends NautilError {
  override readonly name = 'ConfigError';

  /** `data` if every problem is in what the configuration names. */
  readonly kind: 'config' | 'data';

  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], cause?: unknown) {
    const sorted = inReadingOrder(problems);
    const [first] = sorted;
    const single = sorted.length === 1 && first ? first : undefined;
    super(
      single ? headline(single) : `${sorted.length} problems in the configuration\n${sorted.map(block).join('\n')}`,
      { hint: single?.hint?.join('\n'), cause },
    );
    this.kind = sorted.length > 0 && sorted.every(({ inData }) => inData) ? 'data' : 'config';
    this.problems = sorted;
  }
}

/** Throws a ConfigError if there are problems. */
export function failOn(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigError(problems);
}

function headline(problem: Problem): string {
  return problem.origin ? `${showOrigin(problem.origin)}: ${problem.message}` : problem.message;
}

function block(problem: Problem): string {
  return [headline(problem), ...(problem.hint ?? []).map((line) => `  ${line}`)].join('\n');
}

// A problem of a section often explains those of its keys, so it comes first.
function inReadingOrder(problems: readonly Problem[]): Problem[] {
  const depth = (problem: Problem): number => (problem.key === undefined ? 0 : problem.key.split('.').length);
  return [...problems].sort((a, b) => depth(a) - depth(b));
}
