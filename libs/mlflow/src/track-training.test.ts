import { expect, test } from '@jest/globals';
import type { ClassificationReport } from '@nautil/contracts';
import type { Metric } from './client/metric.js';
import { trackCommitted, trackProgress } from './track-training.js';

const zero = { precision: 0, recall: 0, f1: 0 };

/** The metrics of an evaluation on classes with these names. */
function metricsOf(
  names: readonly (string | undefined)[],
  o: { split?: 'val' | 'test'; epoch?: number } = {},
): Metric[] {
  const report: ClassificationReport = {
    classes: names.map((labelName, labelId) => ({
      ...zero,
      labelId,
      support: 0,
      ...(labelName === undefined ? {} : { labelName }),
    })),
    ...{ micro: zero, macro: zero, weighted: zero },
    ...{ accuracy: 0, support: 0, confusion: [] },
  };
  const logged: Metric[] = [];
  const tracker = { metrics: (metrics: Metric[]) => void logged.push(...metrics) };
  const { split = 'test', epoch = 0 } = o;
  trackCommitted(tracker, { type: 'eval', split, step: 7, epoch, loss: 0, report, timestampMs: 0 });
  return logged;
}
const keysOf = (names: readonly (string | undefined)[]): string[] => metricsOf(names).map(({ key }) => key);

test.each([
  ['val', 7],
  ['test', 0],
] as const)('the %s metrics of any run have the step %i, and other averages than the macro a prefix', (split, step) => {
  const metrics = metricsOf(['a', 'b'], { split });
  expect(new Set(metrics.map((metric) => metric.step))).toEqual(new Set([step]));
  const averages = metrics.flatMap(({ key }) => (/_(?:micro|macro|weighted)$/.test(key) ? [key] : []));
  const scores = ['precision', 'recall', 'f1'];
  expect(averages.sort()).toEqual(
    scores
      .flatMap((score) => [
        `${split}/${score}_macro`,
        `${split}/detail/${score}_micro`,
        `${split}/detail/${score}_weighted`,
      ])
      .sort(),
  );
});

test.each([0, 1, 11])('the epoch with the index %i has the number of the terminal', (epoch) => {
  expect(metricsOf(['a'], { split: 'val', epoch })).toContainEqual({
    key: 'epoch',
    value: epoch + 1,
    step: 7,
    timestampMs: 0,
  });
});

test('classes whose names differ in case alone, or not at all after their slashes are replaced, have their ids in the key', () => {
  const keys = keysOf(['Good', 'good', 'a/b', 'a_b', undefined]).filter((key) => key.endsWith('/f1'));
  expect(keys).toEqual(['Good_0', 'good_1', 'a_b_2', 'a_b_3', '4'].map((name) => `test/class/${name}/f1`));
});

test('the first thousand classes have metrics, whatever the number of classes', () => {
  const keys = keysOf(new Array<undefined>(50_000).fill(undefined)).filter((key) => key.includes('/class/'));
  expect(keys).toHaveLength(3000);
  expect(keys).toContain('test/class/999/f1');
});

test('the start of a training records what its rounding depends on, if the event has it', () => {
  const start = {
    ...({ type: 'start', step: 0, totalSteps: 10, stepsPerEpoch: 5, epochs: 2 } as const),
    ...{ trainExamples: 30, validationExamples: 9, trainableParameters: 1000, device: '/device:CPU:0', gpus: 0 },
  };
  const tagsOf = (arithmetic?: string): Record<string, string> => {
    const tags: Record<string, string> = {};
    trackProgress(
      { tags: (values) => void Object.assign(tags, values) },
      { ...start, ...(arithmetic === undefined ? {} : { arithmetic }) },
    );
    return tags;
  };
  expect(tagsOf('TensorFlow 2 with oneDNN, AVX2, 2 threads')).toMatchObject({
    'nautil.device': '/device:CPU:0',
    'nautil.arithmetic': 'TensorFlow 2 with oneDNN, AVX2, 2 threads',
  });
  expect(Object.keys(tagsOf())).not.toContain('nautil.arithmetic');
});
