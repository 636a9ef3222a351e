import type {
  CachedInputs,
  Evaluated,
  Packaged,
  ResolvedRun,
  RunActivities,
  StageResult,
  TokenizedData,
} from './activities.js';
import type { Stage } from './workflow.js';

/** The seven stages as functions: activities in a workflow, plain functions in a process without Temporal. */
export type PipelineStages = Pick<RunActivities, Stage>;

/** Runs one stage by calling `work`, and may add progress, pauses or logging around it. */
export type AroundStage = <T>(stage: Stage, work: () => Promise<StageResult<T>>) => Promise<StageResult<T>>;

/**
 * Runs the stages of a run in order, each with the outputs of the stages before it.
 *
 * NOTE: the workflow calls this, so it must stay deterministic, and the order of the calls must not change: histories of
 * earlier runs are replayed against it.
 */
export async function runPipeline(
  run: ResolvedRun,
  stages: PipelineStages,
  around: AroundStage,
): Promise<{ evaluated: StageResult<Evaluated>; packaged: StageResult<Packaged> }> {
  const { inputs, tokens } = await prepareTraining(run, stages, around);
  const model = await around('train', () => stages.train({ run, inputs, tokens, stopEarly: false }));
  const evaluated = await around('evaluate', () => stages.evaluate({ run, inputs, tokens, model }));
  const packaged = await around('package', () => stages.package({ run, inputs, tokens, evaluated }));
  return { evaluated, packaged };
}

/** Runs the stages before training. */
export async function prepareTraining(
  run: ResolvedRun,
  stages: Pick<PipelineStages, 'download' | 'convert' | 'cache' | 'tokenize'>,
  around: AroundStage,
): Promise<{ inputs: CachedInputs; tokens: TokenizedData }> {
  const source = await around('download', () => stages.download({ run }));
  const data = await around('convert', () => stages.convert({ run, source }));
  const inputs = await around('cache', () => stages.cache({ run, source, data }));
  const tokens = await around('tokenize', () => stages.tokenize({ run, inputs }));
  return { inputs, tokens };
}
