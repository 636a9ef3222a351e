import type { JsonValue } from '@nautil/contracts';

const scores = { precision: 1, recall: 0.5, f1: 0.6 };
const report = {
  classes: [{ ...scores, labelId: 0, support: 3 }],
  micro: scores,
  macro: scores,
  weighted: scores,
  accuracy: 0.5,
  support: 3,
  confusion: [[1, 2]],
};
const stepped = {
  type: 'step',
  step: 3,
  epoch: 0,
  loss: 0.5,
  lr: 1e-4,
  examplesPerSecond: 10,
  tokensPerSecond: 100,
  secondsLeft: 1,
  timestampMs: 1,
};
const evaluated = { type: 'eval', split: 'val', step: 3, epoch: 0, loss: 0.5, report, timestampMs: 2 };
const result = {
  step: 3,
  epoch: 0,
  reason: 'completed',
  lastWeights: '/w',
  best: { monitor: 'val_loss', value: 1, step: 3, epoch: 0 },
};

/** The state of a training, as a checkpoint has it. */
export const trainingState: JsonValue = {
  step: 3,
  split: 1,
  best: { monitor: 'val_loss', value: 0.5, step: 3, sha256: '00'.repeat(32) },
  patience: { waited: 1, best: 0.5 },
  plateau: { factor: 1, best: null, bad: 0, cooldown: 0 },
  events: [stepped, evaluated],
};

/** Sound files of a run's folder, and messages between its processes; `kind` names what reads them. */
export const messages: readonly JsonValue[] = [
  { kind: 'config', value: { model: { optim: { lr: 1 } } } },
  {
    kind: 'run',
    value: {
      workflowId: 'w',
      runKey: 'k',
      folder: '/f',
      logDir: '/l',
      config: { path: '/c', sha256: 'x', sizeBytes: 1 },
      configDigest: 'd',
      experiment: 'e',
      model: 'm',
      dataset: 's',
      notes: ['n'],
      queues: { cpu: 'c', gpu: 'g', gpuSharesFiles: true },
      heartbeatTimeoutMs: 1,
    },
  },
  { kind: 'events', value: stepped },
  { kind: 'evaluations', value: evaluated },
  { kind: 'answers', value: [{ text: 't', labelId: 0, label: 'l', score: 1 }] },
  { kind: 'fromTrainer', value: { type: 'progress', event: evaluated } },
  {
    kind: 'fromTrainer',
    value: { type: 'committed', checkpoint: { step: 3, epoch: 0, path: '/p', sizeBytes: 1, events: [stepped] } },
  },
  {
    kind: 'fromTrainer',
    value: { type: 'failed', error: { name: 'E', kind: 'data', message: 'm', retryable: false } },
  },
  { kind: 'toTrainer', value: { type: 'stop', how: 'early' } },
  {
    kind: 'heartbeat',
    value: { step: 3, totalSteps: 9, epoch: 0, loss: 1, examplesPerSecond: 1, secondsLeft: 1, warnings: ['w'] },
  },
  { kind: 'result', value: result },
];
