import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { keysAffecting } from '@nautil/config';
import {
  type CheckpointSaved,
  counted,
  type FileRef,
  type ResolvedRun,
  type StageResult,
  type TrainedModel,
  type TrainingResult,
  type TrainRequest,
} from '@nautil/contracts';
import { recordEvaluationSettings } from '@nautil/nemo';
import {
  canonicalJson,
  FileDamaged,
  fileRef,
  requireIntact,
  sha256Of,
  stageOutput,
  writeFileAtomic,
} from '@nautil/store';
import type { TrackingTask, TrainTask } from '@nautil/trainer-process';
import { evaluationSettingsOf, OptimizerStateDropped, type TrainingGroup } from '@nautil/training';
import { GroupMissing } from '../errors.js';
import { programVersion } from '../program-version.js';
import { encoderDigestOf } from './cache.js';
import { EventLog } from './event-log.js';
import { configOf, countedConfigOf, redoOf } from './run-settings.js';
import { trainJobOf } from './train-job.js';

export interface TrainModelOptions {
  tracking?: TrackingTask;
  signal?: AbortSignal;

  /** Runs in one scope share equal trainings. By default, a run shares its training with no other run. */
  scope?: string;

  /** Waits for the other members of the run's group, if it has one. */
  join?: () => Promise<TrainingGroup>;

  /** Trains, in another process or in this one, and awaits `record` for each committed checkpoint, in order. */
  compute: (task: TrainTask, record: (checkpoint: CheckpointSaved) => Promise<void>) => Promise<TrainingResult>;
}

/** An attempt that is ending writes its last checkpoint within two minutes. One that takes longer is frozen, and is fenced off. */
const takeOverAfterMs = 180_000;

/**
 * Trains from the newest checkpoint in the run's folder, or from the beginning. The events in checkpoints are appended to the
 * run's event log, each once. A training that is repeated on request gets a new folder; the old one is kept until the run is
 * removed.
 */
export async function trainModel(request: TrainRequest, o: TrainModelOptions): Promise<StageResult<TrainedModel>> {
  const { run } = request;
  const redo = redoOf(run, 'train');
  const folder = join(run.folder, redo === undefined ? 'training' : `training-${sha256Of(redo).slice(0, 12)}`);
  requireGroup(run, o);
  const job = await trainJobOf({ ...request, folder });
  const eventsFile = join(folder, 'events.jsonl');
  const stopped = await isStopped(folder, request);
  const inputs = {
    ...(await trainingInputs(request)),
    scope: o.scope ?? `${run.workflowId}/${run.runKey}`,
    // A training that a user stopped early must not be reused by other runs.
    ...(stopped ? { stopped: run.runKey } : {}),
    redo,
  };
  const { output, reused, warnings } = await stageOutput(
    'train',
    inputs,
    async () => {
      if (run.resumeFrom !== undefined && !existsSync(run.resumeFrom)) throw new OptimizerStateDropped(run.resumeFrom);
      await requireTrainingInputs(request);
      const { tree, config } = await countedConfigOf(run, request.inputs.data);
      const split = config.model.test_ds.file_path === null ? 'val' : 'test';
      const evaluation = { ...evaluationSettingsOf(config, split, job.classWeights) };
      const { pairs } = request.inputs.data;
      await recordEvaluationSettings(run, { tree, config, evaluation, pairs });
      const eventLog = await EventLog.open(eventsFile);
      const joined = o.join && { group: await joinedGroup(o.join) };
      const task: TrainTask = { do: 'train', job: { ...job, ...joined }, tracking: o.tracking };
      const outcome = await o.compute(task, ({ events }) => eventLog.append(events));
      return {
        lastWeights: await fileRef(outcome.lastWeights),
        ...(outcome.bestWeights ? { bestWeights: await fileRef(outcome.bestWeights) } : {}),
        ...(outcome.best ? { best: outcome.best } : {}),
        step: outcome.step,
        epoch: outcome.epoch,
        reason: outcome.reason,
        events: await fileRefOrEmpty(eventsFile),
      };
    },
    { signal: o.signal, takeOverAfterMs },
  );
  return { ...output, reused, detail: `${counted(output.step, 'step')}, ${output.reason}`, notes: warnings };
}

/** @throws GroupMissing when the run has several processes and this one knows of no other */
export function requireGroup({ group }: Pick<ResolvedRun, 'group'>, o: Pick<TrainModelOptions, 'join'>): void {
  if (group !== undefined && o.join === undefined) throw new GroupMissing(group.size);
}

/** The group with what its members compare. */
export async function joinedGroup(meet: () => Promise<TrainingGroup>): Promise<TrainingGroup> {
  return { ...(await meet()), program: (await programVersion()).code };
}

/** Checks the files that training reads. @throws FileDamaged */
export async function requireTrainingInputs({
  tokens,
  inputs,
}: Pick<TrainRequest, 'tokens' | 'inputs'>): Promise<void> {
  await requireIntact(tokens);
  await requireEncoder(inputs);
}

/** The first weights are read from these files, which may be the user's or those of Hugging Face's cache. */
async function requireEncoder({ encoder, encoderDigest }: TrainRequest['inputs']): Promise<void> {
  // Where workers do not share their files, only those that training reads are here.
  if (encoder.passed) return requireIntact(encoder.passed);
  const path = encoder.lmCheckpoint ?? encoder.path ?? encoder.configFile ?? encoder.name;
  if ((await encoderDigestOf(encoder)) !== encoderDigest) throw new FileDamaged({ path, sha256: encoderDigest });
}

/** True once a user has stopped the training early. A marker file keeps this for later attempts. */
async function isStopped(folder: string, { stopEarly }: TrainRequest): Promise<boolean> {
  const mark = join(folder, 'stopped-early');
  if (stopEarly) await writeFileAtomic(mark, '');
  return existsSync(mark);
}

/**
 * Everything that training depends on. It is repeated when one of these changes, and not when anything else does. Digests of
 * content cover the keys that affect only the inputs.
 */
async function trainingInputs({ run, inputs, tokens }: TrainRequest): Promise<Record<string, unknown>> {
  const { config } = await configOf(run);
  const { train, validation, labels, numClasses } = inputs.data;
  return {
    config: sha256Of(canonicalJson(keysAffecting(['training'], config, { paths: false }))),
    train: train.sha256,
    validation: validation?.sha256,
    labels: labels?.sha256,
    numClasses,
    encoder: inputs.encoderDigest,
    tokenizer: tokens.tokenizerDigest,
  };
}

async function fileRefOrEmpty(path: string): Promise<FileRef> {
  if (!existsSync(path)) await writeFileAtomic(path, '');
  return fileRef(path);
}
