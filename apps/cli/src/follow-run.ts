import type {
  Progress,
  RunActivities,
  StageState,
  TextClassificationResult,
  TrainHeartbeat,
  TrainingProgress,
} from '@nautil/contracts';
import { TrainingDisplay } from './terminal/training-display.js';
import { defaultPayloadConverter, type WorkflowHandle } from '@temporalio/client';
import { followWorkflow, workflowUrl, type FollowOptions } from './follow-workflow.js';
import { showResult } from './show-result.js';

const trainActivity: keyof RunActivities = 'train';

/**
 * Shows a run while it goes on, then what came of it. Ctrl-C ends the showing; the run goes on.
 *
 * @throws an error with the run's own type, message and hint when it failed.
 */
export async function followRun(handle: WorkflowHandle, options: FollowOptions): Promise<void> {
  const uiUrl = workflowUrl(options.uiUrl, handle.workflowId);
  process.stderr.write(`run ${handle.workflowId}${uiUrl ? `\nTemporal: ${uiUrl}` : ''}\n`);
  if (options.detach) return;

  const display = new TrainingDisplay();
  const shown = new ShownStages(display);
  const result = await followWorkflow<Progress, TextClassificationResult>(handle, {
    what: 'run',
    display,
    show: async (progress) => shown.show({ ...progress, training: await newestTraining(handle, progress) }),
  });
  await showResult(result, { json: options.json ?? false, uiUrl });
}

/** Where training is by its last heartbeat, which is seconds old: the workflow itself is told less often. */
async function newestTraining(handle: WorkflowHandle, { training }: Progress): Promise<TrainingProgress | undefined> {
  // A server that does not answer is heard of elsewhere.
  const described = await handle.describe().catch(() => undefined);
  const pending = described?.raw.pendingActivities?.find(({ activityType }) => activityType?.name === trainActivity);
  const [payload] = pending?.heartbeatDetails?.payloads ?? [];
  const beat = payload ? defaultPayloadConverter.fromPayload<TrainHeartbeat | undefined>(payload) : undefined;
  return beat && beat.step >= (training?.step ?? 0) ? { ...training, ...beat } : training;
}

/** Prints a line when a stage changes, and where training is. */
class ShownStages {
  readonly #display: TrainingDisplay;
  readonly #states = new Map<string, StageState>();
  #notes = 0;
  #mlflowUrl: string | undefined;

  constructor(display: TrainingDisplay) {
    this.#display = display;
  }

  show(progress: Progress): void {
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
    const training = this.#states.get('train') === 'running' ? progress.training : undefined;
    if (training && training.step > 0) this.#display.show(training);
  }
}
