import { type ChildProcess, execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { type Progress, progressQuery, type TrainEvent, type TrainStepped } from '@nautil/contracts';
import { getExperimentByName, type MlflowClient, type Run, searchRuns } from '@nautil/mlflow';
import { packageRoot, runFolder } from '@nautil/store/folders';
import type { LocalStack } from './local-stack.js';

/** Prints one line about a drill: what happened, when, and with which result. */
export function printLine(line: string): void {
  process.stderr.write(`  drill: ${line}\n`);
}

/** The first characters of a digest, for display. */
export const short = (sha256: string): string => sha256.slice(0, 12);

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs `npx nautil ARGS`, as a user would, against the servers of a stack. */
export function nautil(
  stack: Pick<LocalStack, 'home' | 'temporalAddress' | 'mlflowUri'>,
  args: string[],
  variables: Record<string, string> = {},
): Promise<CommandResult> {
  const env = {
    ...process.env,
    NODE_OPTIONS: '',
    NAUTIL_HOME: stack.home,
    NAUTIL_TEMPORAL_ADDRESS: stack.temporalAddress,
    MLFLOW_TRACKING_URI: stack.mlflowUri,
    ...variables,
  };
  return new Promise((resolve) =>
    execFile(
      process.execPath,
      [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), ...args],
      { env },
      (error, stdout, stderr) => resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );
}

/** The process id of the trainer that a worker has forked; 0 while there is none. */
export const trainerOf = ({ pid }: ChildProcess): Promise<number> =>
  new Promise((resolve) =>
    execFile('pgrep', ['-P', String(pid), '-f', 'trainer-child'], (_error, stdout) => resolve(Number(stdout.trim()))),
  );

/** The folder of a run's checkpoints and journal. */
export async function runFolderOf({ home }: Pick<LocalStack, 'home'>, handle: WorkflowHandle): Promise<string> {
  const { runKey } = await handle.query<Progress>(progressQuery);
  return runFolder(handle.workflowId, runKey, home);
}

/** The steps in a training's event file, in order. */
export async function keptSteps(folder: string, training = 'training'): Promise<TrainStepped[]> {
  const text = await readFile(join(folder, training, 'events.jsonl'), 'utf8');
  const events = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TrainEvent);
  return events.filter((event) => event.type === 'step');
}

/** The MLflow run of a workflow; throws when there is none, or more than one. */
export async function onlyRunOf(mlflow: MlflowClient, workflowId: string): Promise<Run> {
  const experiment = await getExperimentByName(mlflow, 'TextClassification');
  const filter = `tags.\`nautil.workflow_id\` = '${workflowId}'`;
  const runs = experiment ? await searchRuns(mlflow, { experimentIds: [experiment.experimentId], filter }) : [];
  const [run] = runs;
  if (run === undefined || runs.length > 1)
    throw new Error(`${workflowId} has ${runs.length} runs in MLflow, expected one`);
  return run;
}
