import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { withFolder } from '@nautil/testing';
import type { DataError } from './data-error.js';
import { formatInspection } from './format-inspection.js';
import { type InspectOptions, inspectTsv, type ProblemKind, type TsvInspection } from './inspect-tsv.js';
import { examplesOf, readExamples } from './read-examples.js';

const inspect = (content: string | Uint8Array, options?: InspectOptions) =>
  withFolder({ 'a.tsv': content }, (folder) => inspectTsv(join(folder, 'a.tsv'), options));

const problem = ({ problems }: TsvInspection, kind: ProblemKind) => problems.find((found) => found.kind === kind);

const places = (inspection: TsvInspection, kind: ProblemKind) =>
  problem(inspection, kind)?.places.map(({ line, column }) => `${line}:${column}`);

test('a good file has no problems', async () => {
  const inspection = await inspect('good film\t1\nbad film\t0\nfine\t1\n', { labelNames: ['negative', 'positive'] });
  expect(inspection).toMatchObject({
    lines: 3,
    examples: 3,
    trainable: true,
    numClasses: 2,
    problems: [],
    labels: [
      { label: 0, name: 'negative', count: 1, share: 1 / 3 },
      { label: 1, name: 'positive', count: 2, share: 2 / 3 },
    ],
    characters: { min: 4, max: 9, mean: 7, median: 8 },
    words: { min: 1, max: 2, median: 2 },
  });
});

/** Each is one fault among good lines, the kind that tells it, and where. */
const faults: [ProblemKind, string, string[], InspectOptions][] = [
  ['header', 'sentence\tlabel\na\t0\nb\t1\n', ['1:1'], {}],
  ['label-not-integer', 'a\t0\nb\t1\nsome words\t1.0\n', ['3:12'], {}],
  ['label-not-integer', 'first\t1.0\na\t0\nb\t1\n', ['1:7'], {}],
  ['blank', 'a\t0\n \nb\t1\n\n', ['2:1', '4:1'], {}],
  ['no-tab', 'a\t0\ngood film 1\n', ['2:11'], {}],
  ['inner-tab', 'id\tsome text\t0\nb\t1\n', ['1:3'], {}],
  ['empty-text', 'a\t0\n\t1\n1\n', ['2:1', '3:1'], {}],
  ['negative-label', 'a\t0\nb 😀 c\t-1\n', ['2:7'], {}],
  ['label-beyond-classes', 'a\t0\nb\t1\nc\t2\n', ['3:3'], { numClasses: 2 }],
  ['label-too-large', 'a\t0\nb\t3000000000\n', ['2:3'], {}],
  ['label-too-large', 'a\t0\nb\t99999999999999999999\n', ['2:3'], {}],
  ['duplicate', 'same text\t0\nb\t1\n same  text\t0\n', ['3:1'], {}],
  ['conflict', 'same text\t0\nb\t1\nsame text\t1\n', ['3:1'], {}],
  ['damaged-text', 'caf\ufffd\t0\nb\t1\n', ['1:4'], {}],
  ['nul-byte', 'a\t0\nstr\0ay\t1\n', ['2:4'], {}],
  ['long-line', `a\t0\n${'long '.repeat(2001)}\t1\n`, ['2:1'], {}],
  ['line-separator', 'two\u2028lines\t0\nb\t1\n', ['1:4'], {}],
  ['odd-label', 'a\t0\nb\t+1\nc\t１\nd\t0_1\n', ['2:3', '3:3', '4:3'], {}],
];

test.each(faults)('%s is found in %j', async (kind, content, at, options) => {
  const inspection = await inspect(content, options);
  expect(problem(inspection, kind)?.count).toBe(at.length);
  expect(places(inspection, kind)).toEqual(at);
  const others = inspection.problems.filter((found) => found.kind !== kind).map((found) => found.kind);
  // So large a label leaves labels out below it.
  expect(others).toEqual(kind === 'label-too-large' ? ['label-gap'] : []);
});

test('NUL bytes and long lines are reported with their number on lines without a label, too', async () => {
  // A file with several NUL bytes in its first 4 KiB is refused.
  const inspection = await inspect(`a\t0\nb\t1\nno \0label\n${'x'.repeat(10_001)}\nno \0one\n`);
  expect(problem(inspection, 'nul-byte')?.count).toBe(2);
  expect(places(inspection, 'nul-byte')).toEqual(['3:4', '5:4']);
  expect(places(inspection, 'long-line')).toEqual(['4:1']);
});

test('gaps, a single label, imbalance and truncated texts are each reported once', async () => {
  const gaps = problem(await inspect('a\t0\nb\t3\nc\t9\n'), 'label-gap');
  expect(gaps).toMatchObject({ count: 7, severity: 'warning', places: [] });
  expect(gaps?.message).toMatch(/: 1, 2, 4, 5, 6 …$/);
  expect(problem(await inspect('a\t0\nb\t0\n'), 'one-label')).toBeDefined();
  const skewed = Array.from({ length: 30 }, (_, at) => `text ${at} of many\t${at === 0 ? 1 : 0}\n`).join('');
  expect(problem(await inspect(skewed), 'imbalance')).toBeDefined();
  const cut = await inspect('one two three\t0\none\t1\n', {
    countTokens: (text) => text.split(' ').length + 2,
    maxLength: 4,
  });
  expect(cut.tokens).toMatchObject({ min: 3, max: 5 });
  expect(problem(cut, 'truncated')?.count).toBe(1);
});

test('each line that is not UTF-8 is reported, and the other lines are inspected', async () => {
  const content = Buffer.concat([
    Buffer.from('good\t1\ncaf'),
    Buffer.from([0xe9]),
    Buffer.from('\t0\nna'),
    Buffer.from([0xef]),
    Buffer.from('ve\t0\n'),
  ]);
  const inspection = await inspect(content);
  expect(places(inspection, 'encoding')).toEqual(['2:4', '3:3']);
  expect(inspection).toMatchObject({ trainable: false, examples: 3 });
  expect(problem(inspection, 'damaged-text')).toBeUndefined();
});

test('all occurrences are counted, and the first five listed', async () => {
  const inspection = await inspect('a 1\n'.repeat(100) + 'b\t0\n');
  expect(problem(inspection, 'no-tab')).toMatchObject({ count: 100 });
  expect(places(inspection, 'no-tab')).toHaveLength(5);
});

test('a file is trainable exactly when `readExamples` can read it', async () => {
  const contents = [
    '',
    '\n',
    'only text\n',
    'a\t0\n',
    'a\t0\nb\t2\n',
    'a\t-1\n',
    'sentence\tlabel\n',
    'a\t0\n\nb\tx\n',
    'a\t99999999999\n',
    Buffer.from([0x61, 0xff, 9, 0x30]),
  ];
  for (const content of contents) {
    const [trainable, readable] = await withFolder({ 'a.tsv': content }, async (folder) => {
      const path = join(folder, 'a.tsv');
      const inspection = await inspectTsv(path, { numClasses: 2 });
      const reading = async () => {
        for await (const example of examplesOf(readExamples(path, { numClasses: 2 }), () => undefined))
          expect(example.line).toBeGreaterThan(0);
      };
      return [
        inspection.trainable,
        await reading().then(
          () => true,
          () => false,
        ),
      ];
    });
    expect({ content: content.toString(), trainable }).toEqual({ content: content.toString(), trainable: readable });
  }
});

test('the formatted inspection names places as file:line:column and ends with the verdict', async () => {
  const text = formatInspection(
    await inspect('sentence\tlabel\ngood\t1\ngood\t0\nbad\t-1\n', { labelNames: ['no', 'yes'] }),
  );
  expect(text).toMatch(/a\.tsv: 4 lines, 3 examples, 36 bytes/);
  expect(text).toMatch(/^ {6}1 {11}1 {3}33\.3 % {2}█+ {2}yes$/m);
  expect(text).toMatch(/^ {2}✗ labels below 0 \(1 case\)\n {6}\S+a\.tsv:4:5 {2}label -1$/m);
  expect(text).toMatch(/^ {6}\S+a\.tsv:3:1 {2}label 0, but 1 on line 2$/m);
  expect(text).toMatch(/The file is not trainable/);
  const good = formatInspection(await inspect('a\t0\nb\t1\n'));
  expect(good).toMatch(/The file is trainable, with num_classes 2\.$/);
});

test.each([
  [undefined, ['a', 'b', 'c'], /names\.tsv has 3 names, and there are 2 classes/],
  [3, ['a', 'b'], /names\.tsv has 2 names, and there are 3 classes/],
  [3, ['a', 'b', 'c'], undefined],
  [undefined, ['a', 'b'], undefined],
])('with num_classes %j, the class names %j must be one for each class, as in a run', async (given, names, message) => {
  const classes = given === undefined ? {} : { numClasses: given };
  const inspection = await inspect('a\t0\nb\t1\n', { ...classes, labelNames: names, labelsFile: 'names.tsv' });
  expect(inspection.trainable).toBe(message === undefined);
  const found = problem(inspection, 'label-names')?.message;
  if (message === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(message);
});

test.each([
  [
    'the labels are missing',
    'a good film\na bad film\nanother film\n',
    /labels are missing/,
    /end each line with a tab/,
  ],
  [
    'the labels are missing',
    'id1\tsome text of a\nid2\tother text of b\nid3\tc and d\n',
    /labels are missing/,
    /a tab/,
  ],
  ['label and text are swapped', '1\ta good film\n0\ta bad film\n', /look swapped/, /the label last/],
  ['label and text are swapped', 'label\ttext\n1\ta good film\n0\ta bad film\n', /look swapped/, /the label last/],
  [
    'labels are words',
    'a\tpos\nb\tneg\nc\tpos\nd\tneg\n',
    /not whole numbers: "neg", "pos"/,
    /0 for "neg", 1 for "pos"/,
  ],
  [
    'labels are words',
    'text\tlabel\na\tvery good\nb\tbad\n',
    /not whole numbers: "bad"/,
    /0 for "bad", 1 for "very good"/,
  ],
  ['labels are fractions', 'a\t1.0\nb\t0.0\nc\t1.0\nd\t0.0\n', /not whole numbers: "0.0"/, /0 for "0.0", 1 for "1.0"/],
])(
  'if no line has an integer label, inspect and a run give the reason, and line 1 is no header: %s in %j',
  async (_, content, message, hint) => {
    await withFolder({ 'a.tsv': content }, async (folder) => {
      const path = join(folder, 'a.tsv');
      const inspection = await inspectTsv(path);
      expect(problem(inspection, 'no-example')?.message).toMatch(message);
      expect(problem(inspection, 'no-example')?.hint).toMatch(hint);
      expect(problem(inspection, 'header')).toBeUndefined();
      expect(places(inspection, 'label-not-integer')?.[0]).toMatch(/^1:/);
      const reading = async () => {
        for await (const { line } of readExamples(path)) expect(line).toBeGreaterThan(0);
      };
      const failure = (await reading().catch((error: unknown) => error)) as DataError;
      expect(failure.message).toMatch(message);
      expect(failure.message).not.toMatch(/header/);
      expect(failure.hint).toMatch(hint);
    });
  },
);

test('if few lines have an integer label by chance, inspect warns of the reason', async () => {
  const inspection = await inspect('1\ta good film\n0\tthe best of 2008\n1\ta film\n0\tthe worst of 2009\n1\tfine\n');
  const found = problem(inspection, 'labels-missing');
  expect(found?.severity).toBe('warning');
  expect(found?.message).toMatch(/look swapped/);
});

test.each<[string, InspectOptions]>([
  ['the best film in 2024', {}],
  ['the best film in 2024', { numClasses: 2 }],
  ['a film for 3000000000', {}],
  ['a film below -5', {}],
])(
  'if only lines without a tab have a label that is a fault, the missing tab comes first: %s, %j',
  async (text, options) => {
    const inspection = await inspect(`good\t1\nbad\t0\n${text}\nfine\t1\n`, options);
    expect(inspection.problems.map(({ kind, severity }) => [kind, severity])).toEqual([['no-tab', 'error']]);
    expect(inspection.trainable).toBe(false);
    expect(inspection.problems[0]?.hint).toMatch(/put a tab before the label/);
    expect(JSON.stringify(inspection.problems)).not.toMatch(/relabel|num_classes/);
  },
);

test('in a file of which most lines have no tab, labels with gaps are reported as such', async () => {
  const inspection = await inspect('good 1\nbad 0\nodd 2024\nfine\t1\n');
  expect(inspection.problems.map(({ kind }) => kind)).toEqual(['sparse-labels', 'no-tab', 'label-gap']);
});

test.each<[ProblemKind, InspectOptions]>([
  ['label-gap', {}],
  ['label-beyond-classes', { numClasses: 2 }],
])('labels from 1 can be renumbered by nautil.data.relabel: %s', async (kind, options) => {
  const inspection = await inspect('good\t1\nbad\t2\n', options);
  expect(problem(inspection, kind)?.hint).toMatch(/nautil\.data\.relabel=true/);
});
