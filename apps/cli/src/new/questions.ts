import { confirm, isCancel, select, text } from '@clack/prompts';
import { Interrupted } from '@nautil/contracts';

/** A terminal that questions are asked on. */
export interface QuestionStreams {
  input: NodeJS.ReadableStream & { isTTY?: boolean };
  output: NodeJS.WritableStream & { isTTY?: boolean };
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
  const on = streams as Pick<Parameters<typeof confirm>[0], 'input' | 'output'>;
  return {
    choose: async (message, answers) =>
      answered(
        await select({
          ...on,
          message,
          options: answers.map(({ value, hint }) => ({ value, label: value, ...(hint === undefined ? {} : { hint }) })),
        }),
      ),
    confirm: async (message) => answered(await confirm({ ...on, message, initialValue: false })),
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
