import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  prepareTraining,
  type ResolvedRun,
  type RunRequest,
  type Stage,
  stageNames,
  type StageResult,
} from '@nautil/contracts';
import { Store } from '@nautil/store';
import { hubProblem, NotDownloaded } from '@nautil/store/download';
import { createFolder, nautilHome } from '@nautil/store/folders';
import { hasEnded, thisProcess } from '@nautil/store/process';
import { cache } from '../stages/cache.js';
import { convert } from '../stages/convert.js';
import { download } from '../stages/download.js';
import { resolveRun } from '../stages/resolve-run.js';
import { configOf } from '../stages/run-settings.js';
import { tokenize } from '../stages/tokenize.js';
import { planTraining } from './plan-training.js';
import type { PlannedStage, PlannedState, PlanOptions, RunPlan } from './run-plan.js';

/**
 * Plans a run without starting it: prepares its data as the run does, measures some steps, and compares what the run needs with what
 * this machine has. Downloads nothing, and needs no server.
 *
 * What it prepares stays in the store, where the run finds it. All else is in a folder that it removes.
 *
 * @throws what the stages of the run throw for a mistake in its configuration or its data
 */
export async function planRun(request: Omit<RunRequest, 'runKey' | 'taskQueue'>, o: PlanOptions): Promise<RunPlan> {
  return inScratchFolder(async (folder) => {
    const run = await resolveRun(
      { ...request, runKey: 'plan', taskQueue: 'none' },
      { cwd: o.cwd, planIn: folder, ownServer: o.trackingUri },
    );
    const stages: PlannedStage[] = [];
    const notes = [...run.notes];
    try {
      const prepared = await prepare(run, { stages, notes }, o);
      const { stageSeconds, each, ...planned } = await planTraining(run, { ...prepared, folder }, o);
      for (const stage of ['train', 'evaluate', 'package'] as const)
        stages.push({ stage, state: 'runs', ...(stageSeconds && { seconds: stageSeconds[stage] }) });
      const total = stages.reduce((sum, { seconds = 0 }) => sum + seconds, 0);
      return {
        stages,
        ...planned,
        ...(each && { seconds: { ...each, total } }),
        notes,
      };
    } catch (error) {
      if (!(error instanceof NotDownloaded)) throw error;
      stages.push({ stage: 'download', state: 'runs', detail: error.message });
      for (const stage of stageNames.slice(1)) stages.push({ stage, state: 'runs' });
      const note = `${error.message}, and a dry run downloads nothing: time, memory and disk space are known once it is there`;
      return { stages, notes: [...run.notes, note], problems: await downloadProblems(error) };
    }
  });
}

/** Why the run could not download what is missing. What is at an address was requested before. */
async function downloadProblems({ from }: NotDownloaded): Promise<RunPlan['problems']> {
  const problem = from && (await hubProblem(from.repository));
  if (!from || !problem) return [];
  const hint = [`set ${from.key} to what is on this machine, or`, problem.hint].join('\n');
  return [{ kind: 'download', message: problem.message, hint }];
}

/** Calls `work` with a folder of this process in the state folder, and removes it afterwards, and those that killed processes have left. */
async function inScratchFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const parent = join(nautilHome(), 'tmp');
  for (const name of await readdir(parent).catch((): string[] => [])) {
    const [, owner] = /^plan-(.+)$/.exec(name) ?? [];
    if (owner !== undefined && hasEnded(owner)) await rm(join(parent, name), { recursive: true, force: true });
  }
  const folder = join(parent, `plan-${thisProcess}`);
  await createFolder(folder);
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs the stages before training, and adds them to `planned`. */
async function prepare(
  run: ResolvedRun,
  planned: { stages: PlannedStage[]; notes: string[] },
  { signal, onProgress }: PlanOptions,
): ReturnType<typeof prepareTraining> {
  const { config } = await configOf(run);
  const store = new Store();
  let isStored = true;
  const stateOf = (stage: Stage, reused: boolean): PlannedState => {
    if (reused || (stage === 'cache' && isStored)) return 'cached';
    if (stage === 'download') return 'in place';
    return stage === 'tokenize' && !config.model.dataset.use_cache ? 'runs' : 'prepared';
  };
  const around = async <T>(stage: Stage, work: () => Promise<StageResult<T>>): Promise<StageResult<T>> => {
    signal.throwIfAborted();
    onProgress?.(stage);
    const started = performance.now();
    const result = await work();
    const seconds = (performance.now() - started) / 1000;
    for (const note of result.notes ?? []) planned.notes.push(note);
    planned.stages.push({ stage, state: stateOf(stage, result.reused), seconds, detail: result.detail });
    return result;
  };
  return prepareTraining(
    run,
    {
      download: (request) => download(request, { signal, cachedOnly: true }),
      convert,
      cache: async (request) => {
        const { train, validation, test, labels } = request.data;
        for (const ref of [train, validation, test, labels])
          isStored &&= ref === undefined || (await store.has(ref.sha256, ref.sizeBytes));
        return cache(request);
      },
      tokenize: (request) => tokenize(request),
    },
    around,
  );
}
