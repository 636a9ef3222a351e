import { autocomplete, confirm, isCancel, text } from '@clack/prompts';
import { escapeControls, Interrupted, largest } from '@nautil/contracts';
import { cutToWidth } from '@nautil/metrics';
import { terminalWidth } from '../terminal/terminal-width.js';

/** A terminal that questions are asked on. */
export interface QuestionStreams {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
}

/** An answer to choose, with what is known of it. */
interface Answer {
  value: string;

  /** Shown beside each answer: examples of what it stands for. */
  sample?: string;

  /** Shown beside the answer that the cursor is on. */
  hint?: string;
}

/** Asks a person what the program cannot determine. Ctrl-C and Escape end the program. */
export interface Questions {
  /** The cursor is on the first answer; typing leaves those whose names contain what is typed. */
  choose: (question: string, answers: readonly Answer[]) => Promise<string>;
  confirm: (question: string) => Promise<boolean>;
  type: (question: string) => Promise<string>;
}

/** Questions on standard error, so that standard output has results alone; undefined without a terminal. */
export function questionsOn(
  streams: QuestionStreams = { input: process.stdin, output: process.stderr },
): Questions | undefined {
  if (streams.input.isTTY !== true || streams.output.isTTY !== true) return undefined;
  // A terminal of unknown size has 0 columns, in which each letter would be a line.
  streams.output.columns = terminalWidth(streams.output);
  const on = streams as Pick<Parameters<typeof confirm>[0], 'input' | 'output'>;
  return {
    choose: async (message, answers) =>
      answered(
        await autocomplete({
          ...on,
          message: escapeControls(message),
          placeholder: 'type a name, or choose it with the arrow keys',
          options: answers.map(({ value, sample, hint = '' }) => ({
            value,
            label: escapeControls(sample === undefined ? value : `${value.padEnd(longestOf(answers))}  ${cut(sample)}`),
            hint: escapeControls(hint),
          })),
          filter: (typed, { value }) => value.toLowerCase().includes(typed.trim().toLowerCase()),
          validate: (value) => (value === undefined ? 'No answer has this name.' : undefined),
        }),
      ),
    confirm: async (message) =>
      answered(await confirm({ ...on, message: escapeControls(message), initialValue: false })),
    type: async (message) =>
      answered(
        await text({
          ...on,
          message,
          validate: (value) => (value === undefined || value.trim() === '' ? 'An answer is needed.' : undefined),
        }),
      ),
  };
}

const sampleWidth = 48;

const cut = (sample: string): string => cutToWidth(sample.replaceAll(/\s+/g, ' '), sampleWidth);

const longestOf = (answers: readonly Answer[]): number => largest(answers.map(({ value }) => value.length));

/** @throws Interrupted where the person cancelled */
function answered<T>(answer: T | symbol): T {
  if (isCancel(answer)) throw new Interrupted('cancelled: nothing was written');
  return answer;
}
