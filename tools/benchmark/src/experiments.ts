import { join } from 'node:path';
import type { Experiment, RowSpec } from './experiment.js';
import { benchmarkFolder, bertBaseConfig, familyConfig, miniLm, sst2 } from './paths.js';

/** The encoder families besides BERT, by the names of their configurations: all of MiniLM-L6's width, with as many layers and heads. */
const families = {
  albert: 'ALBERT',
  electra: 'ELECTRA',
  'xlm-roberta': 'XLM-RoBERTa (250,002 tokens)',
  mpnet: 'MPNet',
  'deberta-v3': 'DeBERTa v3',
  modernbert: 'ModernBERT',
} as const;

/** What the sizes of the experiments depend on. */
export interface Plan {
  quick: boolean;

  /** Threads of both sides. */
  threads: number;
}

const precisions = ['float32', 'bfloat16'] as const;
type Precision = (typeof precisions)[number];
type InferencePrecision = Precision | 'int8';

/** Batches of the quick mode's epoch; the whole has 217. */
const quickBatches = 40;

const needsOf = (precision: InferencePrecision): Pick<Experiment, 'needs'> =>
  precision === 'bfloat16' ? { needs: 'bfloat16' } : {};

/** Every experiment, in the order of the report. */
export function experiments({ quick, threads }: Plan): Experiment[] {
  const withThreads = ['--threads', String(threads)];
  const modelAndData = ['--model', miniLm, '--data', sst2];
  const limit = quick ? ['--batches', String(quickBatches)] : [];
  const epochName = quick ? `${quickBatches} batches of an epoch` : 'epoch';

  const step = (precision: Precision): Experiment => {
    const args = ['--model', miniLm, '--precision', precision, '--steps', quick ? '10' : '20', ...withThreads];
    return {
      name: `step-${precision}`,
      ...needsOf(precision),
      rows: [
        {
          name: `training step of MiniLM-L6, 32 × 32, ${precision}`,
          figure: 'step',
          unit: 'ms',
          ratioOf: 'speed',
          target: { ratioAtLeast: precision === 'float32' ? 3 : 2.5 },
        },
      ],
      ours: { program: 'train-steps', args },
      peer: { program: 'train_steps', args },
      repeats: quick ? 2 : 4,
    };
  };

  const epoch = (precision: Precision): Experiment => {
    const args = ['--precision', precision, ...limit, ...withThreads];
    const accuracy: RowSpec = {
      name: `accuracy on SST-2 after ${quick ? epochName : 'an epoch, three seeds'}, ${precision}`,
      figure: 'accuracy',
      unit: '',
      ratioOf: 'score',
      // One seed has no noise to compare with.
      ...(quick ? {} : { target: { withinNoise: true as const } }),
    };
    return {
      name: `epoch-${precision}`,
      ...needsOf(precision),
      rows: [
        {
          name: `${epochName} of MiniLM-L6 on SST-2, batch 32, ${precision}`,
          figure: 'epoch',
          unit: 's',
          ratioOf: 'speed',
          target: { ratioAtLeast: precision === 'float32' ? 2.2 : 2 },
        },
        {
          name: `peak memory of ${quick ? epochName : 'the epoch'}, ${precision}`,
          figure: 'peak',
          unit: 'MB',
          ratioOf: 'size',
          target: { ratioAtMost: 0.6 },
        },
        accuracy,
      ],
      ours: { program: 'train-epoch', args },
      peer: { program: 'train_epoch', args: [...modelAndData, ...args] },
      repeats: quick ? 1 : 3,
      seeded: true,
    };
  };

  const wholeRun: Experiment = {
    name: 'whole-run',
    rows: [
      {
        name: `whole command: tokenise, ${epochName}, evaluate dev and test, package, float32`,
        figure: 'wall',
        unit: 's',
        ratioOf: 'speed',
        target: { ratioAtLeast: 2, ...(quick ? {} : { oursAtMost: 45 }) },
      },
    ],
    ours: { program: 'whole-run', args: limit },
    peer: { program: 'whole_run', args: [...modelAndData, ...limit, ...withThreads] },
    repeats: quick ? 1 : 3,
  };

  const inference = (precision: InferencePrecision, engine: 'onnxruntime' | 'pytorch'): Experiment => {
    const args = ['--precision', precision, '--runs', quick ? '2' : '5', ...withThreads];
    const one: RowSpec = {
      name: `inference on one short sentence, median of 200, ${precision} (${engine})`,
      figure: 'one',
      unit: 'ms',
      ratioOf: 'speed',
      ...(engine === 'onnxruntime' ? { target: { ratioAtLeast: 1 } } : {}),
    };
    return {
      name: `inference-${precision}-${engine}`,
      ...needsOf(precision),
      rows: [
        {
          name: `inference on 1,821 test sentences, sorted, batch 32, ${precision} (${engine})`,
          figure: 'all',
          unit: 's',
          ratioOf: 'speed',
          target: { ratioAtLeast: 1.5 },
        },
        one,
      ],
      ours: { program: 'infer', args },
      peer: {
        program: 'infer',
        args: ['--engine', engine, ...modelAndData, '--onnx', join(benchmarkFolder, 'onnx', 'minilm'), ...args],
      },
      repeats: quick ? 1 : 3,
    };
  };

  const firstStep: Experiment = {
    name: 'first-step',
    rows: [
      {
        name: '`nx run trainer:train` from its start to its first step, warm caches',
        figure: 'first',
        unit: 's',
        ratioOf: 'speed',
        target: { oursAtMost: 4 },
      },
    ],
    ours: { program: 'first-step', args: ['--runs', quick ? '2' : '5'] },
    repeats: 1,
  };

  const tokenizing: Experiment = {
    name: 'tokenize',
    notQuick: 'takes minutes',
    rows: [
      {
        name: 'tokenising a million lines',
        figure: 'tokenize',
        unit: 's',
        ratioOf: 'speed',
        target: { ratioAtLeast: 1 },
      },
      { name: 'peak memory of tokenising a million lines', figure: 'peak', unit: 'MB', ratioOf: 'size' },
      {
        name: 'growth of the peak memory from 100,000 lines to a million',
        figure: 'growth',
        unit: 'MB',
        ratioOf: 'size',
        target: { oursAtMost: 50 },
      },
    ],
    ours: { program: 'tokenize', args: withThreads },
    peer: { program: 'tokenize_lines', args: [...modelAndData, ...withThreads] },
    repeats: 2,
  };

  const bertBase = (precision: Precision): Experiment => {
    const size = ['--rows', '32', '--length', '128', '--warm-up', '1', '--steps', '3'];
    const args = ['--model', bertBaseConfig, '--precision', precision, ...size, ...withThreads];
    return {
      name: `bert-base-${precision}`,
      ...needsOf(precision),
      notQuick: 'takes minutes',
      rows: [
        {
          name: `training step of BERT-base, 32 × 128, random weights, ${precision}`,
          figure: 'step',
          unit: 'ms',
          ratioOf: 'speed',
          target: { ratioAtLeast: 1.5 },
        },
      ],
      ours: { program: 'train-steps', args },
      peer: { program: 'train_steps', args },
      repeats: 2,
    };
  };

  const family = (model: keyof typeof families, precision: Precision): Experiment => {
    const size = ['--rows', '32', '--length', '64', '--warm-up', '2', '--steps', '6'];
    const args = ['--model', familyConfig(model), '--precision', precision, ...size, ...withThreads];
    return {
      name: `family-${model}-${precision}`,
      ...needsOf(precision),
      notQuick: 'takes minutes',
      rows: [
        {
          name: `training step of ${families[model]}, 6 layers of width 384, 32 × 64, random weights, ${precision}`,
          figure: 'step',
          unit: 'ms',
          ratioOf: 'speed',
        },
      ],
      ours: { program: 'train-steps', args },
      peer: { program: 'train_steps', args },
      repeats: 2,
    };
  };

  const overhead: Experiment = {
    name: 'workflow-overhead',
    rows: [
      {
        name: 'overhead of a workflow over the trainer alone',
        figure: 'overhead',
        unit: 's',
        ratioOf: 'speed',
        target: { oursAtMost: 5 },
      },
    ],
    ours: { program: 'workflow-overhead', args: ['--runs', quick ? '1' : '3'] },
    repeats: 1,
  };

  /** On as many texts as GLUE's SST-2 has, or on texts of one length. */
  const onGpu = (size: number, length?: number): Experiment => {
    const texts =
      length === undefined ? ['--data', join(benchmarkFolder, 'phrases.tsv')] : ['--length', String(length)];
    const args = [...texts, '--rows', String(size), '--steps', length === undefined ? '250' : '60'];
    return {
      name: `gpu-${size}${length === undefined ? '' : `x${length}`}`,
      needs: 'gpu',
      rows: [
        {
          name: `training of BERT-base on a GPU, bfloat16, batches of ${size} ${length === undefined ? 'phrases of SST-2' : `texts of ${length} tokens`}`,
          figure: 'rate',
          unit: 'texts/s',
          ratioOf: 'score',
          target: { ratioAtLeast: 1.2 },
        },
      ],
      ours: { program: 'train-gpu', args },
      peer: { program: 'train_gpu', args: ['--model', bertBaseConfig, '--tokenizer', miniLm, ...args] },
      repeats: quick ? 1 : 3,
    };
  };

  const sweep: Experiment = {
    name: 'sweep',
    notQuick: 'takes minutes',
    rows: [
      { name: 'sweep of 50 trials of two batches', figure: 'sweep', unit: 's', ratioOf: 'speed' },
      { name: 'one trial of the sweep', figure: 'trial', unit: 's', ratioOf: 'speed' },
    ],
    ours: { program: 'sweep' },
    repeats: 1,
  };

  return [
    ...precisions.map(step),
    ...precisions.map(epoch),
    wholeRun,
    inference('float32', 'onnxruntime'),
    inference('float32', 'pytorch'),
    inference('bfloat16', 'pytorch'),
    inference('int8', 'onnxruntime'),
    firstStep,
    overhead,
    tokenizing,
    ...precisions.map(bertBase),
    onGpu(32),
    onGpu(128),
    onGpu(128, 128),
    ...(Object.keys(families) as (keyof typeof families)[]).flatMap((model) =>
      precisions.map((precision) => family(model, precision)),
    ),
    sweep,
  ];
}
