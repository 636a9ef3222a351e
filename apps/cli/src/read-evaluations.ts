import { readFile } from 'node:fs/promises';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { defineError, type EpochEvaluated } from '@nautil/contracts';

/** A file of evaluations has a line that is not an evaluation. */
class BadEvaluations extends defineError('BadEvaluations', 'data') {}

const scores = { precision: Type.Number(), recall: Type.Number(), f1: Type.Number() };
const evaluation = Type.Object({
  type: Type.Literal('eval'),
  split: Type.Union([Type.Literal('val'), Type.Literal('test')]),
  step: Type.Integer(),
  epoch: Type.Integer(),
  loss: Type.Number(),
  timestampMs: Type.Number(),
  report: Type.Object({
    classes: Type.Array(
      Type.Object({
        ...scores,
        labelId: Type.Integer(),
        labelName: Type.Optional(Type.String()),
        support: Type.Integer(),
      }),
    ),
    micro: Type.Object(scores),
    macro: Type.Object(scores),
    weighted: Type.Object(scores),
    accuracy: Type.Number(),
    support: Type.Integer(),
    confusion: Type.Array(Type.Array(Type.Integer())),
  }),
});

/** Reads the evaluations of a run from their JSON lines; none when the file is on another machine. */
export async function readEvaluations(path: string): Promise<EpochEvaluated[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line, i): EpochEvaluated => {
      const value: unknown = JSON.parse(line);
      if (!Value.Check(evaluation, value)) throw new BadEvaluations(`${path}:${i + 1}: not an evaluation of a run`);
      return value;
    });
}
