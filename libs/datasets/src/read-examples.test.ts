import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Example } from '@nautil/contracts';
import { parsePythonInt, splitWords } from '@nautil/python-format';
import { withFolder } from '@nautil/testing';
import { examplesOf, parseLine, readExamples, type ReadOptions } from './read-examples.js';
import type { SkippedLine } from './skipped-line.js';

async function readAll(
  content: string,
  options?: ReadOptions,
): Promise<{ examples: Example[]; skipped: SkippedLine[] }> {
  return withFolder({ 'train.tsv': content }, async (folder) => {
    const skipped: SkippedLine[] = [];
    const examples: Example[] = [];
    const lines = readExamples(join(folder, 'train.tsv'), options);
    for await (const example of examplesOf(lines, (line) => skipped.push(line))) examples.push(example);
    return { examples, skipped };
  });
}

test('the last word is the label, and the words before it are the text', async () => {
  const { examples } = await readAll('good movie\t1\n  bad \t  movie  ends 0  \n7\n');
  expect(examples).toEqual([
    { line: 1, text: 'good movie', label: 1 },
    { line: 2, text: 'bad movie ends', label: 0 },
    { line: 3, text: '', label: 7 },
  ]);
});

test('a header, a blank line and a line without an integer are skipped with a reason, and keep their numbers', async () => {
  const { examples, skipped } = await readAll('sentence\tlabel\n\ngood\t1\nbad\tnegative\n');
  expect(examples).toEqual([{ line: 3, text: 'good', label: 1 }]);
  expect(skipped).toEqual([
    { line: 1, reason: 'the last word, "label", is not an integer label (a header?)', content: 'sentence\tlabel' },
    { line: 2, reason: 'blank line', content: '' },
    { line: 4, reason: 'the last word, "negative", is not an integer label', content: 'bad\tnegative' },
  ]);
});

test('num_samples counts lines before any is skipped', async () => {
  const content = 'sentence\tlabel\na\t0\nb\t1\nc\t0\n';
  expect((await readAll(content, { numSamples: 3 })).examples.map(({ text }) => text)).toEqual(['a', 'b']);
  expect((await readAll(content, { numSamples: 0 })).examples).toHaveLength(3);
  expect((await readAll(content, { numSamples: -1 })).examples).toHaveLength(3);
  await expect(readAll(content, { numSamples: 1 })).rejects.toThrow(
    /no valid line \(1 were read\); line 1: the last word, "label"/,
  );
});

test.each([
  ['a\t0\nb\t2\n', /train\.tsv:2: label 2 is not between 0 and 1 \(num_classes is 2\)/],
  ['a\t0\nb\t-1\n', /train\.tsv:2: label -1 is not between 0 and 1/],
])('a label out of range is an error that names the line', async (content, message) => {
  await expect(readAll(content, { numClasses: 2 })).rejects.toThrow(message);
});

test('without a number of classes, any 32-bit label is accepted', async () => {
  expect((await readAll('a\t-1\nb\t2147483647\n')).examples.map(({ label }) => label)).toEqual([-1, 2147483647]);
  await expect(readAll('a\t2147483648\n')).rejects.toThrow(/train\.tsv:1: label 2147483648 is too large/);
});

test.each([
  ['', /train\.tsv is empty/],
  ['\n\n', /train\.tsv has no valid line \(2 were read\); line 1: blank line/],
  ['text only\n', /train\.tsv has no valid line \(1 were read\); line 1: the last word, "only"/],
])('a file without a valid line (%j) is an error', async (content, message) => {
  await expect(readAll(content)).rejects.toThrow(message);
});

test.each(['good\tpositive\nbad\tnegative\nfine\t1\n', 'good\t1.0\nbad\t0\n'])(
  'a first line is called a header only if its last word has no digit and the next line has a label: %j',
  async (content) => {
    const { skipped } = await readAll(content);
    expect(skipped[0]).toMatchObject({ line: 1, reason: expect.not.stringContaining('header') });
  },
);

test('a short UTF-8 file that starts with a NUL is not taken for UTF-32', async () => {
  expect((await readAll('\0\t0\n\t0\n')).examples).toHaveLength(2);
});

test('any text written as text, tab, label is read back unchanged', async () => {
  const text = fc
    .string({ unit: 'binary', maxLength: 20 })
    .map((value) => splitWords(value.replace(/[\r\n]/g, ' ')).join(' '));
  const rows = fc.array(fc.record({ text, label: fc.integer({ min: 0, max: 5 }) }), { minLength: 1, maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(rows, async (written) => {
      // A byte order mark that begins the file is not text.
      fc.pre(!written[0]?.text.startsWith('\ufeff'));
      const { examples, skipped } = await readAll(written.map((row) => `${row.text}\t${row.label}\n`).join(''));
      expect(skipped).toEqual([]);
      expect(examples).toEqual(written.map((row, at) => ({ line: at + 1, ...row })));
    }),
    { numRuns: 50 },
  );
});

test('reading stops when the consumer stops', async () => {
  await withFolder({ 'train.tsv': 'a\t1\n'.repeat(1000) }, async (folder) => {
    const lines = readExamples(join(folder, 'train.tsv'));
    expect(await lines.next()).toEqual({ done: false, value: { line: 1, text: 'a', label: 1 } });
    expect(await lines.return(undefined)).toEqual({ done: true, value: undefined });
  });
});

test('a label that no number holds is shown as the file has it, by training and by inspect', async () => {
  const huge = '99999999999999999999';
  await expect(readAll(`a\t${huge}\n`)).rejects.toThrow(new RegExp(`train\\.tsv:1: label ${huge} is too large`));
  await expect(readAll(`a\t${huge}\n`, { numClasses: 2 })).rejects.toThrow(
    new RegExp(`label ${huge} is not between 0`),
  );
});

test('a label beyond the classes of a trained model is to be corrected: no setting gives the model more classes', async () => {
  await expect(readAll('a\t0\nb\t7\n', { numClasses: 3, isTrained: true })).rejects.toMatchObject({
    message: expect.stringContaining(':2: label 7 is not between 0 and 2 (the model has 3 classes)'),
    hint: expect.not.stringContaining('num_classes'),
  });
});

test('a line has the words and the label that Python finds in it, whatever separates them', () => {
  const unit = fc.constantFrom(
    'a',
    'é',
    '中',
    '\u{1f600}',
    '1',
    '-',
    '_',
    ' ',
    ' ',
    '\t',
    '\u00a0',
    '\u0085',
    '\u001c',
    '\u2028',
    '\u3000',
  );
  const end = fc.constantFrom('', '\t1', ' \t1', '\t007', '\t1 ', ' 1', '\t-1', '\t1_0', '\t1234567890', '\t1\t2');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 8 }), end, (start, rest) => {
      const content = start + rest;
      const words = splitWords(content);
      const label = parsePythonInt(words.pop() ?? '');
      const found = parseLine(content, 3);
      if (label === undefined) expect(found).toMatchObject({ line: 3, reason: expect.any(String) });
      else expect(found).toEqual({ line: 3, text: words.join(' '), label });
    }),
    { numRuns: 2000 },
  );
});

test('a line of pairs has two texts, which tabs separate from each other and from the label', async () => {
  const content = 'premise\thypothesis\tlabel\na  b\t c\u2028d \t 1\none text\t0\n\nx\ty\tz\t2\nx\ty\tno\n\t\t2\n';
  const { examples, skipped } = await readAll(content, { pairs: true });
  expect(examples).toEqual([
    { line: 2, text: 'a b', textPair: 'c d', label: 1 },
    { line: 7, text: '', textPair: '', label: 2 },
  ]);
  expect(skipped.map(({ line, reason }) => `${line}: ${reason}`)).toEqual([
    '1: its third column, "label", is not an integer label (a header?)',
    '3: it has 1 tab, and a pair has two: a text, a second text, and a label',
    '4: blank line',
    '5: it has 3 tabs, and a pair has two: a text, a second text, and a label',
    '6: its third column, "no", is not an integer label',
  ]);
});

test('a file of single texts that is read as pairs is an error that states the layout of pairs', async () => {
  await expect(readAll('good\t1\nbad\t0\n', { pairs: true })).rejects.toMatchObject({
    message: expect.stringMatching(/no valid line \(2 were read\); line 1: it has 1 tab, and a pair has two/),
    hint: 'each line is a text, a tab, a second text, a tab, and a label (a whole number)',
  });
});

test('any pair written as text, tab, text, tab, label is read back unchanged', async () => {
  const text = fc
    .array(fc.string({ unit: 'grapheme' }).map((word) => splitWords(word).join('')))
    .map((words) => splitWords(words.join(' ')).join(' '));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ text, textPair: text, label: fc.integer({ min: 0, max: 9 }) }), { minLength: 1 }),
      async (pairs) => {
        const content = pairs.map((pair) => `${pair.text}\t${pair.textPair}\t${pair.label}\n`).join('');
        const { examples } = await readAll(content, { pairs: true });
        expect(examples).toEqual(pairs.map((pair, index) => ({ line: index + 1, ...pair })));
      },
    ),
    { numRuns: 50 },
  );
});
