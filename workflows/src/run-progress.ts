import { type ApplicationFailure, setHandler } from '@temporalio/workflow';
import {
  type Progress,
  type Stage,
  stageNames,
  type StageResult,
  type StageState,
  type TextClassificationResult,
  type TrainingProgress,
} from '@nautil/contracts';
import { runProgress } from './messages.js';

/** Signals can add notes without end, and the answer to a query must fit into one payload. */
const mostNotes = 200;
const longestNote = 2000;

/** The state of a run, which answers the `progress` query, also after the run has ended. */
export class RunProgress {
  readonly notes: string[] = [];
  mlflowUrl: string | undefined;
  paused = false;
  homeQueue: string | undefined;
  logDir: string | undefined;

  /** The stage that is running, or ran last. */
  current: Stage | undefined;

  readonly #runKey: string;
  readonly #stages = new Map<Stage, { state: StageState; detail?: string }>(
    stageNames.map((stage) => [stage, { state: 'waiting' }]),
  );
  #training: TrainingProgress | undefined;
  #result: TextClassificationResult | undefined;
  #failure: Progress['failure'];

  constructor(runKey: string) {
    this.#runKey = runKey;
    setHandler(runProgress, () => this.#answer());
  }

  /** Step of the newest checkpoint that training has reported. */
  get checkpointStep(): number {
    return this.#training?.checkpointStep ?? 0;
  }

  get hasEnded(): boolean {
    return this.#result !== undefined || this.#failure !== undefined;
  }

  /** True also while the stage is paused. */
  isRunning(stage: Stage): boolean {
    const state = this.#stages.get(stage)?.state;
    return state === 'running' || state === 'paused';
  }

  begin(stage: Stage): void {
    this.current = stage;
    this.#stages.set(stage, { state: 'running' });
  }

  pause(stage: Stage): void {
    this.#stages.set(stage, { state: 'paused' });
  }

  end(stage: Stage, { reused, detail, notes = [] }: StageResult<object>): void {
    for (const note of notes) this.note(note);
    this.#stages.set(stage, { state: reused ? 'reused' : 'done', detail });
  }

  updateTraining({ warnings = [], ...training }: TrainingProgress): void {
    this.#training = { ...this.#training, ...training };
    for (const warning of warnings) this.note(warning);
  }

  /** Adds a note for users, once. */
  note(text: string): void {
    const note = text.slice(0, longestNote);
    if (this.notes.length < mostNotes && !this.notes.includes(note)) this.notes.push(note);
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
      stages: Array.from(this.#stages, ([stage, state]) => ({ stage, ...state })),
      training: this.#training,
      notes: this.notes,
      runKey: this.#runKey,
      home: this.homeQueue,
      paused: this.paused,
      logDir: this.logDir,
      mlflowUrl: this.mlflowUrl,
      result: this.#result,
      failure: this.#failure,
    };
  }
}
