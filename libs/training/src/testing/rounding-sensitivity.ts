import { type Random, randomFrom } from '@nautil/formats/testing/mutate';
import { type RecordedStart, type RecordedSteps, trainRecordedSteps } from './train-recorded-steps.js';

/** The largest relative error of rounding to bfloat16, which has 8 significant bits. */
const unitRoundoff = 2 ** -8;

const samples = 4;

/**
 * How far rounding errors of the size of bfloat16's move the losses of recorded steps: the largest difference between float32's losses and
 * those of float32 trainings whose first weights have random relative errors of up to bfloat16's unit roundoff. It depends on
 * the encoder: AdamW's first steps have the size of the learning rate, whatever the gradient's, so that an error can turn them around.
 */
export async function roundingSensitivity(
  start: RecordedStart,
  steps: RecordedSteps,
  float32: readonly number[],
): Promise<number> {
  const differences: number[] = [];
  for (let seed = 1; seed <= samples; seed++) {
    const random = randomFrom(seed);
    const losses = await trainRecordedSteps(
      { ...start, tensors: withErrors(start.tensors, random), head: withErrors(start.head, random) },
      { ...steps, precision: 'float32' },
    );
    differences.push(...losses.map((loss, step) => Math.abs(loss - float32[step]!)));
  }
  return Math.max(...differences);
}

/** The tensors with a relative error of each element that is uniform between minus and plus the unit roundoff. */
function withErrors(source: RecordedStart['tensors'], random: Random): RecordedStart['tensors'] {
  const error = (): number => unitRoundoff * (random(2001) / 1000 - 1);
  return {
    names: () => source.names(),
    info: (name) => source.info(name),
    readFloat32: async (name) => (await source.readFloat32(name)).map((value) => value * (1 + error())),
  };
}
