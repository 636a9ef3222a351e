import { expect, test } from '@jest/globals';
import type { EpochEvaluated, LoggedEvent } from '@nautil/contracts';
import { Confusion } from './confusion.js';
import { type JudgedRun, judgeRun } from './judge-run.js';

/** @param matrix - number of examples by true and predicted class */
function reportOf(matrix: number[][]) {
  const confusion = new Confusion(matrix.length);
  matrix.forEach((row, label) => {
    row.forEach((count, predicted) => {
      for (let i = 0; i < count; i++) confusion.add(label, predicted);
    });
  });
  return confusion.report();
}

const step = (number: number, epoch: number, loss: number): LoggedEvent => ({
  ...{ type: 'step', step: number, epoch, loss, lr: 1e-4, timestampMs: 0 },
  ...{ examplesPerSecond: 1, tokensPerSecond: 1, secondsLeft: 0 },
});

const validation = (at: number, epoch: number, loss: number, matrix: number[][]): EpochEvaluated => ({
  ...{ type: 'eval', split: 'val', step: at, epoch, loss, report: reportOf(matrix), timestampMs: 0 },
});

const good = [
  [88, 12],
  [11, 89],
];

/** A run of two epochs whose model has learned. */
const learned: JudgedRun = {
  events: [
    step(1, 0, 0.69),
    step(2, 0, 0.5),
    validation(2, 0, 0.4, good),
    step(3, 1, 0.35),
    step(4, 1, 0.3),
    validation(4, 1, 0.35, good),
  ],
  trainCounts: [500, 500],
  labelNames: ['negative', 'positive'],
  isWeighted: false,
  final: { split: 'val', report: reportOf(good) },
  picked: 'last',
  best: { monitor: 'val_loss', value: 0.35, step: 4 },
  mode: 'min',
  texts: { examples: 1000, truncated: 5, tokens: 20_000, unknown: 100, maxLength: 64 },
  encoder: { maxLength: 512, hiddenSize: 384 },
  settings: { optimizer: 'adam', lr: 1e-4, maxEpochs: 2 },
};

const codesOf = (run: JudgedRun): string[] => judgeRun(run).map(({ code }) => code);
const remediesOf = (run: JudgedRun): string[] => judgeRun(run).map(({ remedy }) => remedy);

const atChance = [
  [50, 50],
  [50, 50],
];

/** A run with a loss of its training examples, whose answers are no better than chance. */
const losing = (loss: number, o: Partial<JudgedRun> = {}): JudgedRun => ({
  ...learned,
  events: [step(1, 0, 0.3), ...[2, 3, 4].map((number) => step(number, 1, loss))],
  final: { split: 'val', report: reportOf(atChance) },
  ...o,
});

const { texts } = learned;
const withFinal = (matrix: number[][], split: 'val' | 'test' = 'val') => ({
  final: { split, report: reportOf(matrix) },
});
const empty = (matrix: number[][]) => reportOf(matrix);

test('a run that has learned has no findings', () => {
  expect(judgeRun(learned)).toEqual([]);
});

test.each<[what: string, run: JudgedRun, codes: string[]]>([
  // ln 2 = 0.693, less 3 % is 0.672.
  ['a loss of ln 2 with two equal classes', losing(0.693), ['chance-loss']],
  ['a loss above it', losing(0.75), ['chance-loss']],
  ['a loss 3 % below it', losing(0.672), []],
  ['a loss just above that', losing(0.673), ['chance-loss']],
  // 0.9 ln 0.9 + 0.1 ln 0.1 = -0.325: ln 2 would miss it.
  ['the entropy of classes of 9:1', losing(0.325, { trainCounts: [900, 100] }), ['chance-loss']],
  ['the same loss with equal classes', losing(0.325), []],
  ['ln 4 with four classes', losing(1.386, { trainCounts: [5, 5, 5, 5] }), ['chance-loss']],
  ['weighted classes of 9:1 at ln 2', losing(0.693, { trainCounts: [900, 100], isWeighted: true }), ['chance-loss']],
  ['weighted classes of 9:1 at half of it', losing(0.325, { trainCounts: [900, 100], isWeighted: true }), []],
  ['one class only', losing(0, { trainCounts: [1000], labelNames: undefined, ...withFinal(good) }), []],
  ['no step at all', { ...learned, events: [] }, []],

  [
    'a single answer',
    {
      ...learned,
      ...withFinal([
        [50, 0],
        [50, 0],
      ]),
    },
    ['one-class'],
  ],
  [
    'a single answer, and five of others',
    {
      ...losing(0.4),
      ...withFinal([
        [95, 0],
        [5, 0],
      ]),
    },
    ['one-class'],
  ],
  [
    'a single answer, and four of others',
    {
      ...losing(0.4),
      ...withFinal([
        [96, 0],
        [4, 0],
      ]),
    },
    [],
  ],
  [
    'two answers',
    {
      ...losing(0.4),
      ...withFinal([
        [94, 1],
        [5, 0],
      ]),
    },
    [],
  ],

  [
    'a best validation before the last',
    { ...learned, best: { monitor: 'val_loss', value: 0.33, step: 2 } },
    ['not-best'],
  ],
  ['one that is 5 % better', { ...learned, best: { monitor: 'val_loss', value: 0.334, step: 2 } }, []],
  ['the best weights', { ...learned, picked: 'best', best: { monitor: 'val_loss', value: 0.1, step: 2 } }, []],
  // The accuracy is 0.885 on 200 examples: its standard error is 2.1 to 2.3 points.
  [
    'an F1 better by 4 points',
    { ...learned, mode: 'max', best: { monitor: 'val_f1', value: 92.5, step: 2 } },
    ['not-best'],
  ],
  ['an F1 better by a point', { ...learned, mode: 'max', best: { monitor: 'val_f1', value: 89.5, step: 2 } }, []],
  ['no validation', { ...learned, best: undefined, final: undefined }, []],

  // A loss of 0.05 means an accuracy of at least 1 - 0.05 / 0.693 = 0.928.
  [
    'an accuracy 16 points below',
    {
      ...losing(0.05),
      ...withFinal([
        [77, 23],
        [23, 77],
      ]),
    },
    ['overfitted'],
  ],
  [
    'an accuracy 15 points below',
    {
      ...losing(0.05),
      ...withFinal([
        [78, 22],
        [22, 78],
      ]),
    },
    [],
  ],
  [
    'a loss that says nothing about the accuracy',
    {
      ...losing(0.6),
      ...withFinal([
        [55, 45],
        [45, 55],
      ]),
    },
    [],
  ],
  [
    'a weighted loss',
    {
      ...losing(0.05, { isWeighted: true }),
      ...withFinal([
        [6, 4],
        [4, 6],
      ]),
    },
    [],
  ],

  ['a class that is not trained', { ...learned, trainCounts: [500, 500, 0] }, ['no-training-examples']],
  [
    'a class that is not tested',
    {
      ...learned,
      ...withFinal([
        [90, 10, 0],
        [10, 90, 0],
        [0, 0, 0],
      ]),
    },
    ['no-evaluation-examples'],
  ],

  ['1 % of the texts cut', { ...learned, texts: { ...texts, truncated: 10 } }, []],
  ['more than that', { ...learned, texts: { ...texts, truncated: 11 } }, ['truncated-texts']],
  ['5 % of the tokens unknown', { ...learned, texts: { ...texts, unknown: 1000 } }, []],
  ['more than that', { ...learned, texts: { ...texts, unknown: 1001 } }, ['unknown-tokens']],
])('%s', (_, run, codes) => {
  expect(codesOf(run)).toEqual(codes);
});

/** Examples of classes, of which a number has the right label and the others that of the first class, or of the second. */
const mostly = (counts: number[], right: number[]): number[][] =>
  counts.map((count, id) =>
    counts.map((_, to) => (to === id ? right[id]! : to === (id === 0 ? 1 : 0) ? count - right[id]! : 0)),
  );

test.each<[what: string, run: Partial<JudgedRun>, codes: string[]]>([
  ['twice the share of the largest class', withFinal(mostly([22, 20, 18], [17, 14, 13])), []],
  ['the share of the largest class', withFinal(mostly([22, 20, 18], [12, 6, 4])), ['chance-loss']],
  ['a fifth of the remaining errors avoided', withFinal(mostly([500, 500], [300, 300])), ['chance-loss']],
  ['a little more than that', withFinal(mostly([500, 500], [301, 300])), []],
  ['as much, which chance explains with 20 examples', withFinal(mostly([10, 10], [7, 7])), ['chance-loss']],
  ['the share of a class of 90 %', withFinal(mostly([90, 10], [89, 1])), ['chance-loss']],
  ['weights, and a recall of 0.8', { ...withFinal(mostly([900, 100], [720, 80])), isWeighted: true }, []],
  ['weights, and a recall of 0.5', { ...withFinal(mostly([900, 100], [890, 1])), isWeighted: true }, ['chance-loss']],
  ['no evaluation', { final: undefined }, ['chance-loss']],
])('a model with a loss at the level of chance has learned if its scores are above it: %s', (_, run, codes) => {
  expect(codesOf(losing(2, { trainCounts: [367, 333, 300], ...run }))).toEqual(codes);
});

test.each<[string, JudgedRun, string]>([
  ['a small encoder', losing(0.7, { settings: { optimizer: 'adam', lr: 2e-5, maxEpochs: 2 } }), 'model.optim.lr=1e-4'],
  ['a rate that suits it', losing(0.7), 'trainer.max_epochs=4'],
  [
    'a rate that is too high',
    losing(0.7, { settings: { optimizer: 'adamw', lr: 0.01, maxEpochs: 2 } }),
    'model.optim.lr=1e-4',
  ],
  ['a large encoder', losing(0.7, { encoder: { maxLength: 512, hiddenSize: 1024 } }), 'model.optim.lr=1e-5'],
  [
    'plain SGD',
    losing(0.7, { settings: { optimizer: 'sgd', lr: 1e-4, maxEpochs: 2 } }),
    'model.optim.name=adamw model.optim.lr=1e-4',
  ],
  [
    'a rare class',
    {
      ...losing(0.2, { trainCounts: [900, 100] }),
      ...withFinal([
        [90, 0],
        [10, 0],
      ]),
    },
    'model.dataset.class_balancing=weighted_loss',
  ],
  ['texts that are cut', { ...learned, texts: { ...texts, truncated: 500 } }, 'model.dataset.max_seq_length=128'],
  [
    'texts that are cut at 300',
    { ...learned, texts: { ...texts, truncated: 500, maxLength: 300 } },
    'model.dataset.max_seq_length=512',
  ],
  [
    'texts that the encoder cuts',
    { ...learned, texts: { ...texts, truncated: 500, maxLength: 512 } },
    'model=modernbert-base',
  ],
])('the remedy for %s', (_, run, remedy) => {
  expect(remediesOf(run)).toEqual([remedy]);
});

test('a model that is fitted too long is trained until its best epoch', () => {
  const events = [step(1, 0, 0.5), validation(1, 0, 0.5, good), step(2, 1, 0.01), validation(2, 1, 0.9, good)];
  const final = withFinal(
    [
      [70, 30],
      [30, 70],
    ],
    'test',
  );
  const best = { monitor: 'val_loss', value: 0.5, step: 1 };
  expect(judgeRun({ ...learned, events, ...final, best })).toMatchObject([
    { code: 'not-best', remedy: 'exp_manager.checkpoint_callback_params.save_best_model=true' },
    { code: 'overfitted', remedy: 'trainer.max_epochs=1' },
  ]);
});

test('sentences have the numbers and the names', () => {
  const sentences = judgeRun({
    ...losing(0.7),
    final: {
      split: 'test',
      report: {
        ...empty([
          [0, 0, 0],
          [60, 0, 0],
          [40, 0, 0],
        ]),
      },
    },
    trainCounts: [500, 500, 0],
    labelNames: ['bad', 'good', 'unheard of'],
    texts: { examples: 1, truncated: 1, tokens: 10, unknown: 4, maxLength: 64 },
  }).map(({ sentence }) => sentence);
  expect(sentences).toEqual([
    'the model did not learn: the mean loss of its last 3 steps is 0.700, and that of a model that knows only how frequent the classes are is 0.693',
    'the model gives the label 0 to all 100 test examples, of which 100 have another',
    'the class unheard of has no training examples, so the model never gives such a label; add examples, or number only the classes that have some',
    'the class 0 has no test examples, so the scores do not show how well the model knows them; name a file with examples of every class',
    '1 of 1 training texts (100.0 %) is longer than 64 tokens, and the model never sees the rest',
    '40.0 % of the tokens of the training texts are [UNK], because the vocabulary of the encoder lacks these characters; choose an encoder for the language of the texts (Chinese: model=bert-base-chinese)',
  ]);
});
