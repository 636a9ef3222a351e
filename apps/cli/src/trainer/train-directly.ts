import { join } from 'node:path';
import { finishTracking, progressAfter, stages, startTracking, trackingOfTraining } from '@nautil/activities';
import { experimentName, loadConfig } from '@nautil/config';
import {
  type Evaluated,
  type Packaged,
  recordOf,
  type ResolvedRun,
  type StageResult,
  type TrainHeartbeat,
} from '@nautil/contracts';
import { stackAddresses } from '@nautil/stack';
import { canonicalJson, claimFence, sha256Of } from '@nautil/store';
import { runTask, type TrainOutcome } from '@nautil/trainer-process';
import { type TrainControl, TrainingInterrupted } from '@nautil/training';
import { printOutcome } from '../print-outcome.js';
import { TrainingDisplay } from '../terminal/training-display.js';
import type { HydraArguments } from './hydra-arguments.js';

/** A download says how far it is no more often than this. */
const downloadLineMs = 5000;

/**
 * Trains without Temporal: the stages of the workflow, one after another, in this process. MLflow hears of it when its
 * server answers; else the run's journal keeps everything for `nautil runs sync`.
 *
 * @param o.signal - ends training with a checkpoint; the same command with `exp_manager.resume_if_exists=true` goes on.
 */
export async function trainDirectly(args: HydraArguments, o: { cwd: string; signal: AbortSignal }): Promise<void> {
  const display = new TrainingDisplay();
  const echo = (entry: string): void => display.line(entry);
  const run = await resolve(args, { cwd: o.cwd, echo });
  await claimFence(run.folder); // no workflow says that the run goes on: garbage collection sees it by this
  for (const note of run.notes) display.line(`note: ${note}`);
  display.line(`run folder: ${run.folder}`);
  const trackingUri = run.trackingUri ?? stackAddresses().mlflowTrackingUri;
  const tracking = await startTracking(run, trackingUri);
  if (tracking.url) display.line(`MLflow: ${tracking.url}`);
  else
    display.warn(
      `MLflow does not answer at ${trackingUri}: the run is kept in ${join(run.folder, 'mlflow.jsonl')}, and \`npx nautil runs sync\` sends it later`,
    );

  let evaluated: Evaluated | undefined;
  let packaged: Packaged | undefined;
  try {
    ({ evaluated, packaged } = await runStages(run, trackingUri, { display, echo, signal: o.signal }));
    await finishTracking({ run, status: 'FINISHED', evaluated, packaged }, trackingUri);
  } catch (error) {
    const status = error instanceof TrainingInterrupted ? 'KILLED' : 'FAILED';
    await finishTracking({ run, status, message: recordOf(error).message }, trackingUri);
    throw error;
  } finally {
    display.close();
  }

  await printOutcome({ ...evaluated, nemo: packaged.nemo, mlflowUrl: tracking.url });
}

/**
 * With `resume_if_exists` a run's name is its configuration, so that the same command finds it again; else it is the
 * time, so that it never does.
 */
async function resolve(
  args: HydraArguments,
  { cwd, echo }: { cwd: string; echo: (entry: string) => void },
): Promise<ResolvedRun> {
  const { configName, configPath, overrides } = args;
  const { tree, config } = await loadConfig({ configName, configPath, overrides, cwd });
  const { resume_if_exists } = config.exp_manager;
  const runKey = resume_if_exists ? sha256Of(canonicalJson({ cwd, tree })).slice(0, 16) : timeStamp(new Date());
  return stages.resolveRun(
    {
      workflowId: `train-${experimentName(config.exp_manager)}`,
      runKey,
      taskQueue: 'none',
      config: configName,
      overrides,
    },
    { cwd, configPath, echo, command: ['trainer:train', ...process.argv.slice(3)] },
  );
}

/** `2026-11-23_23-15-00-042`: exp_manager's version, to the millisecond. */
const timeStamp = (now: Date): string => now.toISOString().slice(0, 23).replace('T', '_').replace(/[:.]/g, '-');

async function runStages(
  run: ResolvedRun,
  trackingUri: string,
  o: { display: TrainingDisplay; echo: (entry: string) => void; signal: AbortSignal },
): Promise<{ evaluated: Evaluated; packaged: Packaged }> {
  const stage = async <T>(name: string, work: () => Promise<StageResult<T>>): Promise<StageResult<T>> => {
    o.signal.throwIfAborted();
    o.display.line(`${name} …`);
    const made = await work();
    o.display.line(`${name}: ${made.reused ? 'reused' : 'done'}, ${made.detail}`);
    return made;
  };
  let told = performance.now();
  const onProgress = (detail: string): void => {
    if (performance.now() - told < downloadLineMs) return;
    told = performance.now();
    o.display.line(`download: ${detail}`);
  };
  const source = await stage('download', () => stages.download({ run }, { signal: o.signal, onProgress }));
  const data = await stage('convert', () => stages.convert({ run, source }));
  const inputs = await stage('cache', () => stages.cache({ run, source, data }));
  const tokens = await stage('tokenize', () => stages.tokenize({ run, inputs, echo: o.echo }));

  const control: TrainControl = {};
  const interrupt = (): void => void (control.stop = 'interrupt');
  o.signal.addEventListener('abort', interrupt);
  const request = { run, inputs, tokens, stopEarly: false };
  const model = await stage('train', () =>
    stages.trainModel(request, {
      tracking: trackingOfTraining(request, trackingUri),
      compute: async (task, record) => {
        let place: TrainHeartbeat | undefined;
        const outcome = await runTask(
          task,
          async (event) => {
            await record(event);
            if (event.type === 'warning') o.display.warn(event.message);
            place = progressAfter(place, event);
            if (place && event.type === 'step') o.display.show(place);
          },
          { control, echo: o.echo },
        );
        return outcome as TrainOutcome;
      },
    }),
  ).finally(() => o.signal.removeEventListener('abort', interrupt));

  const evaluated = await stage('evaluate', () =>
    stages.evaluate(
      { run, inputs, tokens, model },
      async (options) => {
        const result = await runTask({ do: 'evaluate', ...options }, () => undefined);
        if (!('answers' in result)) throw new TypeError('an evaluation was answered with a training');
        return result;
      },
      { echo: o.echo },
    ),
  );
  const packaged = await stage('package', () => stages.packageModel({ run, inputs, tokens, evaluated, echo: o.echo }));
  return { evaluated, packaged };
}
