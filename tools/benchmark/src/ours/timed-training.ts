import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@nautil/config';
import { peakMemory } from '@nautil/store/process';
import { joinTraining, trainClassifier, type TrainJob, type TrainListener } from '@nautil/training';

/** When the events of a training happened, in milliseconds. */
export interface TimedTraining {
  /** The model is loaded, and the first step begins. */
  startedAt: number;

  /** The end of each step. */
  stepsEndedAt: number[];

  /** Processor time of all threads of this process until the end of each step. */
  cpuAtSteps: number[];

  /** The largest resident size of this process until the last step, in megabytes. */
  peakMb: number;

  job: TrainJob;
  lastWeights: string;
}

/** Runs `work` with a temporary folder. */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'nautil-benchmark-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The largest resident size of this process so far. */
export const peakMegabytes = (): number => peakMemory() / 1e6;

/** Milliseconds of processor time of all threads of this process so far. Other programs hardly change it. */
export function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Trains on the CPU with AdamW, as the peers do, without evaluations. */
export async function timeTraining(o: {
  folder: string;
  trainCache: string;
  encoder: TrainJob['encoder'];
  overrides: string[];

  /** The processes that train together, of which this is one. Without the first, `lastWeights` is empty. */
  group?: TrainJob['group'];
}): Promise<TimedTraining> {
  const { config } = await loadConfig({
    overrides: [
      'trainer.accelerator=cpu',
      'optim=adamw',
      'model.optim.lr=1e-4',
      'model.dataset.num_classes=2',
      ...o.overrides,
    ],
  });
  let [startedAt, peakMb] = [NaN, NaN];
  const stepsEndedAt: number[] = [];
  const cpuAtSteps: number[] = [];
  const job: TrainJob = {
    config,
    folder: join(o.folder, 'training'),
    trainCache: o.trainCache,
    encoder: o.encoder,
    numClasses: 2,
    digests: {},
    ...(o.group === undefined ? {} : { group: o.group }),
  };
  const onProgress: TrainListener['onProgress'] = ({ type }) => {
    if (type === 'start') startedAt = performance.now();
    if (type !== 'step') return;
    stepsEndedAt.push(performance.now());
    cpuAtSteps.push(cpuMilliseconds());
    peakMb = peakMegabytes();
  };
  if (o.group !== undefined && o.group.index > 0) {
    await joinTraining(job, { onProgress });
    return { startedAt, stepsEndedAt, cpuAtSteps, peakMb, job, lastWeights: '' };
  }
  const { lastWeights } = await trainClassifier(job, { onProgress });
  return { startedAt, stepsEndedAt, cpuAtSteps, peakMb, job, lastWeights };
}
