import type { FileRef, ResolvedRun, RunActivities, RunRequest } from '@nautil/contracts';

const file = (name: string): FileRef => ({ path: `/files/${name}`, sha256: '0'.repeat(64), sizeBytes: 1 });

const resolved = (request: RunRequest): ResolvedRun => ({
  workflowId: request.workflowId,
  runKey: request.runKey,
  folder: '/runs/1',
  logDir: '/nemo_experiments/TextClassification/1',
  config: file('config.json'),
  configDigest: 'c',
  experiment: 'TextClassification',
  model: 'all-MiniLM-L6-v2',
  dataset: 'sst-2',
  notes: ['model.dataset.num_classes: 2, counted from the training labels'],
  queues: { cpu: request.taskQueue, gpu: request.taskQueue, gpuSharesFiles: true },
  heartbeatTimeoutMs: 5_000,
  parentMlflowRunId: request.parentMlflowRunId,
});

const made = { reused: false, detail: 'made' };
const encoder = { name: 'all-MiniLM-L6-v2', path: '/models/all-MiniLM-L6-v2' };
const data = {
  train: file('train.tsv'),
  validation: file('dev.tsv'),
  numClasses: 2,
  numClassesCounted: true,
  examples: { train: 6_920, validation: 872 },
  digest: 'd',
};
const scores = {
  split: 'val',
  examples: 872,
  loss: 0.4,
  accuracy: 0.86,
  f1Macro: 0.855,
  f1Micro: 0.86,
  f1Weighted: 0.858,
} as const;

/** Activities that only return a result and record their calls, for tests of the workflow alone. */
export function stubActivities(change: Partial<RunActivities> = {}): {
  activities: RunActivities;
  calls: [string, unknown][];
} {
  const calls: [string, unknown][] = [];
  const stubs: RunActivities = {
    resolveRun: async (request) => resolved(request),
    startTracking: async () => ({ runId: 'm1', url: 'http://mlflow/m1' }),
    finishTracking: async () => ({ runId: 'm1', url: 'http://mlflow/m1' }),
    download: async () => ({ ...made, data: { folder: '/data/sst-2' }, encoder }),
    convert: async () => ({ ...made, ...data }),
    cache: async () => ({ ...made, data, encoder, encoderDigest: 'e' }),
    tokenize: async () => ({
      ...made,
      reused: true,
      train: { file: file('train.tokens'), examples: 6_920 },
      tokenizerDigest: 't',
    }),
    train: async () => ({
      ...made,
      lastWeights: file('last.safetensors'),
      step: 217,
      epoch: 0,
      reason: 'completed',
      events: file('events.jsonl'),
    }),
    trainMember: async () => ({ step: 217, epoch: 0, reason: 'completed' }),
    evaluate: async () => ({
      ...made,
      weights: file('last.safetensors'),
      picked: 'last',
      scores,
      reportFile: file('report.json'),
      evaluations: file('evaluations.jsonl'),
    }),
    bringHome: async ({ evaluated }) => evaluated,
    package: async () => ({ ...made, nemo: file('model.nemo') }),
  };
  const entries = Object.entries({ ...stubs, ...change }).map(
    ([name, activity]: [string, (input: never) => Promise<unknown>]) => [
      name,
      (input: never) => {
        calls.push([name, input]);
        return activity(input);
      },
    ],
  );
  return { activities: Object.fromEntries(entries) as RunActivities, calls };
}
