import { defaultPayloadConverter, type WorkflowHandle } from '@temporalio/client';
import type {
  Progress,
  RunActivities,
  StageState,
  TextClassificationResult,
  TrainHeartbeat,
  TrainingProgress,
} from '@nautil/contracts';
import { type FollowOptions, followWorkflow } from './follow-workflow.js';
import { printOutcome } from './print-outcome.js';
import type { TrainingDisplay } from './terminal/training-display.js';

const trainActivity: keyof RunActivities = 'train';

/**
 * Shows the progress of a run until it ends, then its result. Ctrl-C ends the command; the run continues.
 *
 * @throws an error with the run's own type, message and hint when it failed
 */
export async function followRun(handle: WorkflowHandle, options: FollowOptions): Promise<void> {
  await followWorkflow<Progress, TextClassificationResult>(handle, options, {
    noun: 'run',
    showProgress: (display) => {
      const shown = new ShownStages(display);
      return async (progress) => shown.show(progress, await newestTraining(handle, progress));
    },
    printResult: (result, temporalUrl) => printOutcome({ ...result, temporalUrl }),
  });
}

/** The progress of training from its last heartbeat, which is only seconds old. The workflow is updated less often. */
async function newestTraining(handle: WorkflowHandle, { training }: Progress): Promise<TrainingProgress | undefined> {
  // The poll of the workflow reports an unreachable server.
  const described = await handle.describe().catch(() => undefined);
  const pending = described?.raw.pendingActivities?.find(({ activityType }) => activityType?.name === trainActivity);
  const [payload] = pending?.heartbeatDetails?.payloads ?? [];
  const heartbeat = payload ? defaultPayloadConverter.fromPayload<TrainHeartbeat | undefined>(payload) : undefined;
  return heartbeat && heartbeat.step >= (training?.step ?? 0) ? { ...training, ...heartbeat } : training;
}

/** Prints a line when a stage changes, and the progress of training. */
class ShownStages {
  readonly #display: TrainingDisplay;
  readonly #states = new Map<string, StageState>();
  #notes = 0;
  #mlflowUrl: string | undefined;

  constructor(display: TrainingDisplay) {
    this.#display = display;
  }

  show(progress: Progress, training: TrainingProgress | undefined): void {
    if (progress.mlflowUrl !== undefined && progress.mlflowUrl !== this.#mlflowUrl) {
      this.#mlflowUrl = progress.mlflowUrl;
      this.#display.line(`MLflow: ${progress.mlflowUrl}`);
    }
    for (const note of progress.notes.slice(this.#notes)) this.#display.line(`note: ${note}`);
    this.#notes = progress.notes.length;
    for (const { stage, state, detail } of progress.stages) {
      if (this.#states.get(stage) === state || state === 'waiting') continue;
      this.#states.set(stage, state);
      if (state === 'running') this.#display.line(`${stage} …`);
      else this.#display.line(`${stage}: ${state}${detail ? `, ${detail}` : ''}`);
    }
    const trains = this.#states.get('train') === 'running';
    if (trains && training && training.step > 0) this.#display.show(training);
  }
}
