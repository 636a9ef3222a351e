import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { withFolder } from '@nautil/testing';
import { divideExamples, divisionNotes, type Examples, sizesOf } from './divide-examples.js';
import { TextCopies } from './text-copies.js';

/** Training examples in memory, as `[text, label]`. */
function trainingOf(rows: readonly (readonly [string, string])[]): Examples {
  const [counts, copies] = [new Map<string, number>(), new TextCopies()];
  for (const [text, label] of rows) {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    copies.add(text, label);
  }
  const lines = async function* () {
    for (const [text, label] of await Promise.resolve(rows)) yield { text, label, line: `${text}\t${label}\n` };
  };
  return { train: { counts, copies, lines } };
}

type Divided = Record<'train' | 'validation', [text: string, label: string][]>;

async function divided(examples: Examples, o: { seed: number; validationFraction: number }): Promise<Divided> {
  return withFolder({}, async (folder) => {
    const { train, validation } = await divideExamples(examples, { ...o, folder });
    const rowsIn = async (path: string | undefined) =>
      path === undefined
        ? []
        : (await readFile(path, 'utf8'))
            .split('\n')
            .slice(0, -1)
            .map((line) => line.split('\t') as [string, string]);
    return { train: await rowsIn(train), validation: await rowsIn(validation) };
  });
}

const repeated = (times: number, text: string, label: string): [string, string][] =>
  Array.from({ length: times }, () => [text, label]);
const textsOf = (rows: readonly (readonly [string, string])[]): Set<string> => new Set(rows.map(([text]) => text));
const labelsOf = (rows: readonly (readonly [string, string])[]): Set<string> => new Set(rows.map(([, label]) => label));

/** Whether a class has a text of its own, with at most half of its examples. */
function isDivisible(all: readonly (readonly [string, string])[], label: string): boolean {
  const rows = all.filter(([, of]) => of === label);
  const copiesOf = (text: string): number => rows.filter(([other]) => other === text).length;
  const own = [...textsOf(rows)].filter((text) => all.every(([other, of]) => other !== text || of === label));
  return own.some((text) => copiesOf(text) <= rows.length / 2);
}

const note = (examples: Examples): string => divisionNotes(examples, { seed: 42, validationFraction: 0.1 }).join('\n');

test('no text is in both sets, each class with two texts is in both, and the sizes are those that were announced', async () => {
  const texts = fc.constantFrom(...Array.from({ length: 12 }, (_, i) => `t${i}`));
  const rows = fc.array(fc.tuple(texts, fc.constantFrom('a', 'b', 'c')), { minLength: 1, maxLength: 60 });
  const fraction = fc.constantFrom(0.1, 0.3, 0.9);
  await fc.assert(
    fc.asyncProperty(rows, fc.nat(), fraction, async (all, seed, validationFraction) => {
      const o = { seed, validationFraction };
      const { train, validation } = await divided(trainingOf(all), o);
      expect([...train, ...validation].sort()).toEqual([...all].sort());
      const { train: trainSize, validation: validationSize = 0 } = sizesOf(trainingOf(all), o);
      expect([train.length, validation.length]).toEqual([trainSize, validationSize]);
      const divisible = [...labelsOf(all)].filter((label) => isDivisible(all, label));
      if (divisible.length === 0) return;
      expect([...textsOf(train)].filter((text) => textsOf(validation).has(text))).toEqual([]);
      expect([...labelsOf(validation)].sort()).toEqual(divisible.sort());
      expect(labelsOf(train)).toEqual(labelsOf(all));
    }),
    { numRuns: 40 },
  );
});

test('copies keep the share of the classes where their numbers allow it', async () => {
  const rows = Array.from({ length: 400 }, (_, i): [string, string] => [`t${i % 40}`, i % 4 === 0 ? 'neg' : 'pos']);
  const o = { seed: 42, validationFraction: 0.1 };
  const { validation } = await divided(trainingOf(rows), o);
  expect((await divided(trainingOf(rows), o)).validation).toEqual(validation);
  expect((await divided(trainingOf(rows), { ...o, seed: 7 })).validation).not.toEqual(validation);
  expect(validation.filter(([, label]) => label === 'neg')).toHaveLength(10);
  expect(validation).toHaveLength(40);
  expect(note(trainingOf(rows))).toBe(
    'without a validation set, 40 of 400 training examples became one: the same share of each class; 40 texts occur more than once, and all copies of each are in one of the two sets (nautil.data.validation_fraction=0.1, nautil.seed=42)',
  );
});

test('examples without copies are divided by a seed as they were before texts were compared', async () => {
  const rows = Array.from({ length: 30 }, (_, i): [string, string] => [`t${i}`, i % 3 === 0 ? 'neg' : 'pos']);
  const { validation } = await divided(trainingOf(rows), { seed: 42, validationFraction: 0.2 });
  expect(validation.map(([text]) => text).join(' ')).toBe('t1 t2 t3 t10 t18 t22');
});

test('what stays in the training set is stated: frequent texts, texts of several labels, classes with one text', () => {
  const some = Array.from({ length: 20 }, (_, i): [string, string] => [`t${i}`, i % 2 ? 'a' : 'b']);
  const examples = trainingOf([
    ...some,
    ...repeated(30, 'n/a', 'a'),
    ...repeated(3, 'only', 'c'),
    ['both', 'a'],
    ['both', 'b'],
  ]);
  expect(note(examples)).toMatch(
    /^without a validation set, 5 of 55 training examples became one: .* share of each class; 1 class with fewer than two texts of its own stays in the training set; 3 texts occur more than once, and all copies of each are in one of the two sets; texts that have several labels \(1\) or too many copies for the validation set \(2\) stay in the training set \(nautil/,
  );
});

test.each([
  ['with copies of one text, and a text of another class', [...repeated(20, 'a', 'A'), ['both', 'A'], ['both', 'B']]],
  [
    'with two texts of another class',
    [...repeated(9, 'a', 'A'), ...repeated(5, 'both', 'A'), ...repeated(5, 'both', 'B')],
  ],
  ['with three copies', [...repeated(3, 'a', 'A'), ['both', 'A'], ['third', 'A'], ['both', 'B'], ['third', 'B']]],
] as const)('a class %s keeps a text of its own for the training', async (_, rows) => {
  const others = Array.from({ length: 20 }, (__, i): [string, string] => [`b${i}`, 'B']);
  const { train, validation } = await divided(trainingOf([...(rows as [string, string][]), ...others]), {
    seed: 42,
    validationFraction: 0.1,
  });
  expect(train.some(([text, label]) => label === 'A' && text === 'a')).toBe(true);
  expect(validation.length).toBeGreaterThan(0);
});

test('the note states the classes of which the validation set has a larger share, since their texts have many copies', () => {
  const others = Array.from({ length: 60 }, (_, i): [string, string] => [`b${i}`, 'B']);
  expect(note(trainingOf([...repeated(50, 'x', 'A'), ...repeated(50, 'y', 'A'), ...others]))).toContain(
    'about the same share of each class, but 50 % of "A", whose texts have many copies',
  );
  expect(
    note(trainingOf(others.concat(repeated(60, 'c', 'A').map(([text], i) => [`${text}${i}`, 'A'])))),
  ).not.toContain('but');
});

test('copies are divided, and the note states so, only where no class has two texts', async () => {
  const examples = trainingOf([...repeated(9, 'x', 'a'), ...repeated(9, 'y', 'b')]);
  const { validation } = await divided(examples, { seed: 42, validationFraction: 0.1 });
  expect(validation).toEqual([
    ['x', 'a'],
    ['y', 'b'],
  ]);
  expect(note(examples)).toMatch(
    /^without a validation set, 2 of 18 training examples became one: copies of texts that are trained on, since no class has two texts of its own; /,
  );
});
