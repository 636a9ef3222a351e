import { expect, test } from '@jest/globals';
import { Confusion } from './confusion.js';
import { macroNote, macroTags } from './macro-note.js';

test('a report with classes without examples names them, NeMo’s convention, and scikit-learn’s macro F1', () => {
  const confusion = new Confusion(2);
  for (const predicted of [0, 1, 0, 0, 1, 1, 0, 0, 0, 1]) confusion.add(0, predicted);
  const report = confusion.report(['negative', 'positive']);
  expect(report.macro.f1).toBeCloseTo(0.75, 6);
  expect(macroNote(report)).toBe(
    'macro averages are over the 1 of 2 classes with examples, as in NeMo ' +
      '(F1 over all classes, as in scikit-learn: 0.3750); without examples: positive',
  );
  expect(macroTags(report)).toEqual({
    'nautil.macro_averages': 'over the classes with examples, as in NeMo',
    'nautil.classes_without_examples': 'positive',
  });
});

test('a report whose classes all have examples needs no note', () => {
  const confusion = new Confusion(2);
  confusion.add(0, 0);
  confusion.add(1, 0);
  expect(macroNote(confusion.report())).toBeUndefined();
  expect(macroTags(confusion.report())['nautil.classes_without_examples']).toBe('none');
});
