import { type Static, Type } from '@sinclair/typebox';
import { Ajv } from 'ajv';

/** What the program of one side prints as its last line. */
const schema = Type.Object({
  /** Measured values by figure, such as `step`: at least one value each. */
  figures: Type.Record(Type.String(), Type.Array(Type.Number(), { minItems: 1 })),

  /** What a reader must know to judge the values. */
  notes: Type.Optional(Type.Array(Type.String())),
});

export type SideOutput = Static<typeof schema>;

const isSideOutput = new Ajv().compile<SideOutput>(schema);

/**
 * Reads the result of a side from its standard output.
 *
 * @throws Error when the last line is not a result
 */
export function parseSideOutput(stdout: string): SideOutput {
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  let output: unknown;
  try {
    output = JSON.parse(last);
  } catch {
    output = undefined;
  }
  if (!isSideOutput(output)) throw new Error(`the last line is not a result: ${last.slice(0, 200)}`);
  return output;
}

/** Prints the result of our side. */
export function printSideOutput(output: SideOutput): void {
  process.stdout.write(`${JSON.stringify(output)}\n`);
}
