import { confirm, isCancel, select, text } from '@clack/prompts';
import { escapeControls, Interrupted } from '@nautil/contracts';
import { terminalWidth } from '../terminal/terminal-width.js';

/** A terminal that questions are asked on. */
export interface QuestionStreams {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
}

/** An answer to choose, with what is known of it. */
interface Answer {
  value: string;
  hint?: string;
}

/** Asks a person what the program cannot determine. Ctrl-C and Escape end the program. */
export interface Questions {
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
        await select({
          ...on,
          message: escapeControls(message),
          options: answers.map(({ value, hint = '' }) => ({
            value,
            label: escapeControls(value),
            hint: escapeControls(hint),
          })),
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

/** @throws Interrupted where the person cancelled */
function answered<T>(answer: T | symbol): T {
  if (isCancel(answer)) throw new Interrupted('cancelled: nothing was written');
  return answer;
}
