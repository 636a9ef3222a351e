import { stages } from '@nautil/activities';
import {
  type AroundStage,
  type CachedInputs,
  type Evaluated,
  type Packaged,
  type PipelineStages,
  type ResolvedRun,
  runPipeline,
  type StageResult,
  type TokenizedData,
  type TrainedModel,
} from '@nautil/contracts';
import {
  type RunningTask,
  runTrainer,
  type TaskOptions,
  type TrainerResult,
  type TrainerTask,
} from '@nautil/trainer-process';
import type { TrainListener } from '@nautil/training';
import { programEnvironment } from './program-environment.js';

type RunTask = <Task extends TrainerTask>(o: TaskOptions<Task>) => Promise<TrainerResult<Task>>;

type TrainingOptions = TrainListener & { onStarted?: (running: RunningTask) => void };

export interface StagedRunOptions {
  home: string;
  runKey: string;
  overrides?: string[];

  /** As in a request; default: NeMo's. */
  config?: string;
  configPath?: string;

  /** Where relative paths start; default: the folder of this process. */
  cwd?: string;

  /** The file that lists faults for the trainer to inject. */
  faults?: string;

  /** Runs a task; default: each in a new trainer process. */
  trainer?: RunTask;
}

/** The stages of one run without Temporal, with real trainer processes; a drill calls each stage itself. */
export class StagedRun {
  readonly #trainer: RunTask;

  /** What the stages are given. */
  readonly resolved: ResolvedRun;

  private constructor(run: ResolvedRun, trainer: RunTask) {
    this.resolved = run;
    this.#trainer = trainer;
  }

  /** NOTE: sets NAUTIL_HOME of this process, because the stages read the state folder from it. */
  static async open({ home, cwd, faults, trainer, ...request }: StagedRunOptions): Promise<StagedRun> {
    process.env['NAUTIL_HOME'] = home;
    const run = await stages.resolveRun(
      { workflowId: 'drill', taskQueue: 'none', ...request },
      cwd === undefined ? {} : { cwd },
    );
    const env = {
      ...programEnvironment(home),
      ...(faults === undefined ? {} : { NAUTIL_FAULTS: faults }),
    };
    return new StagedRun(run, trainer ?? ((o) => runTrainer({ ...o, env })));
  }

  /** Runs all stages in order, as the workflow does. @param o.around - as in `runPipeline`; @param o.training - training's listeners */
  async run(
    o: { around?: AroundStage; training?: TrainingOptions } = {},
  ): Promise<{ model: TrainedModel; evaluated: StageResult<Evaluated>; packaged: StageResult<Packaged> }> {
    let model: TrainedModel | undefined;
    const pipeline: PipelineStages = {
      download: (request) => stages.download(request),
      convert: (request) => stages.convert(request),
      cache: (request) => stages.cache(request),
      tokenize: (request) => stages.tokenize(request),
      train: async ({ inputs, tokens }) => {
        const trained = await this.train(inputs, tokens, o.training);
        model = trained;
        return trained;
      },
      evaluate: (request) => this.evaluate(request.inputs, request.tokens, request.model),
      package: (request) => stages.packageModel(request),
    };
    const result = await runPipeline(this.resolved, pipeline, o.around ?? ((_, work) => work()));
    if (model === undefined) throw new Error('the pipeline did not train');
    return { model, ...result };
  }

  async cache(): Promise<StageResult<CachedInputs>> {
    const source = await stages.download({ run: this.resolved });
    return stages.cache({ run: this.resolved, source, data: await stages.convert({ run: this.resolved, source }) });
  }

  tokenize(inputs: CachedInputs): Promise<StageResult<TokenizedData>> {
    return stages.tokenize({ run: this.resolved, inputs });
  }

  train(inputs: CachedInputs, tokens: TokenizedData, o: TrainingOptions = {}): Promise<StageResult<TrainedModel>> {
    const request = { run: this.resolved, inputs, tokens, stopEarly: false };
    return stages.trainModel(request, {
      compute: (task, record) =>
        this.#trainer({
          task,
          ...o,
          onCommitted: async (checkpoint) => {
            await o.onCommitted?.(checkpoint);
            await record(checkpoint);
          },
        }),
    });
  }

  evaluate(inputs: CachedInputs, tokens: TokenizedData, model: TrainedModel): Promise<StageResult<Evaluated>> {
    return stages.evaluate({ run: this.resolved, inputs, tokens, model }, (options) =>
      this.#trainer({ task: { do: 'evaluate', ...options } }),
    );
  }

  package(inputs: CachedInputs, tokens: TokenizedData, evaluated: Evaluated): Promise<StageResult<Packaged>> {
    return stages.packageModel({ run: this.resolved, inputs, tokens, evaluated });
  }
}
