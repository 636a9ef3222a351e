import {
  progressQuery,
  stages,
  type Progress,
  type Stage,
  type StageState,
  type TextClassificationResult,
  type TrainingProgress,
} from '@nautil/contracts';
import type { ApplicationFailure } from '@temporalio/workflow';
import { defineQuery, setHandler } from '@temporalio/workflow';

/** Where a run is; answers the `progress` query, also after the run has ended. */
export class RunProgress {
  readonly notes: string[] = [];
  mlflowUrl: string | undefined;
  paused = false;
  home: string | undefined;

  /** The stage that runs, or ran last. */
  current: Stage | undefined;

  readonly #runKey: string;
  readonly #stages = new Map<Stage, { state: StageState; detail?: string }>(
    stages.map((stage) => [stage, { state: 'waiting' }]),
  );
  #training: TrainingProgress | undefined;
  #result: TextClassificationResult | undefined;
  #failure: Progress['failure'];

  constructor(runKey: string) {
    this.#runKey = runKey;
    setHandler(defineQuery<Progress>(progressQuery), () => this.#answer());
  }

  /** Step of the newest checkpoint that training told of. */
  get checkpointStep(): number {
    return this.#training?.checkpointStep ?? 0;
  }

  get hasEnded(): boolean {
    return this.#result !== undefined || this.#failure !== undefined;
  }

  /** Also while the stage is paused. */
  isRunning(stage: Stage): boolean {
    const { state } = this.#stages.get(stage)!;
    return state === 'running' || state === 'paused';
  }

  begin(stage: Stage): void {
    this.current = stage;
    this.#stages.set(stage, { state: 'running' });
  }

  pause(stage: Stage): void {
    this.#stages.set(stage, { state: 'paused' });
  }

  end(stage: Stage, made: { reused: boolean; detail: string }): void {
    this.#stages.set(stage, { state: made.reused ? 'reused' : 'done', detail: made.detail });
  }

  training(training: TrainingProgress): void {
    const { warnings = [], ...place } = training;
    this.#training = { ...this.#training, ...place };
    for (const warning of warnings) if (!this.notes.includes(warning)) this.notes.push(warning);
  }

  fail({ message, type }: Pick<ApplicationFailure, 'message' | 'type'>): void {
    if (this.current) this.#stages.set(this.current, { state: 'failed', detail: message });
    this.#failure = { type: type ?? 'Error', message };
  }

  finish(result: TextClassificationResult): TextClassificationResult {
    this.#result = result;
    this.mlflowUrl = result.mlflowUrl ?? this.mlflowUrl;
    return result;
  }

  #answer(): Progress {
    return {
      stages: stages.map((stage) => ({ stage, ...this.#stages.get(stage)! })),
      training: this.#training,
      notes: this.notes,
      runKey: this.#runKey,
      home: this.home,
      paused: this.paused,
      mlflowUrl: this.mlflowUrl,
      result: this.#result,
      failure: this.#failure,
    };
  }
}
