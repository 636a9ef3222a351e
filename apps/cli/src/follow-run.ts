import { setTimeout as sleep } from 'node:timers/promises';
import {
  NautilError,
  progressQuery,
  type ErrorKind,
  type Progress,
  type StageState,
  type TextClassificationResult,
} from '@nautil/contracts';
import { TrainingDisplay } from '@nautil/terminal';
import {
  ApplicationFailure,
  CancelledFailure,
  QueryNotRegisteredError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { interruption } from './interruption.js';
import { showResult } from './show-result.js';

export interface FollowOptions {
  /** Address of Temporal's UI. */
  uiUrl?: string;

  /** Say where it runs, and return. */
  detach?: boolean;

  /** Print the result as JSON on standard output. */
  json?: boolean;
}

/** A run ended without a model. */
class RunFailed extends NautilError {
  override readonly name: string;
  readonly kind: ErrorKind;

  constructor(o: { type: string; kind: ErrorKind; message: string; hint?: string; cause: unknown }) {
    super(o.message, { hint: o.hint, cause: o.cause });
    this.name = o.type;
    this.kind = o.kind;
  }
}

const pollMs = 1000;

/** Polls without an answer from a worker before we say so. */
const patience = 15;

/**
 * Shows a run while it goes on, then what came of it. Ctrl-C ends the showing; the run goes on.
 *
 * @throws an error with the run's own type, message and hint when it failed.
 */
export async function followRun(handle: WorkflowHandle, options: FollowOptions): Promise<void> {
  const { workflowId } = handle;
  const uiUrl = options.uiUrl && `${options.uiUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;
  process.stderr.write(`run ${workflowId}${uiUrl ? `\nTemporal: ${uiUrl}` : ''}\n`);
  if (options.detach) return;

  const display = new TrainingDisplay();
  const ended = handle.result() as Promise<TextClassificationResult>;
  let over = false;
  ended.catch(() => undefined).finally(() => (over = true));
  const shown = new ShownStages(display);
  let unanswered = 0;
  const leave = (): void => {
    display.close();
    process.stderr.write(
      `the run goes on; follow it with \`npx nautil resume ${workflowId}\`, end it with \`temporal workflow cancel -w ${workflowId}\`\n`,
    );
    process.exit(130);
  };
  interruption.addEventListener('abort', leave);
  try {
    while (!over) {
      await Promise.race([sleep(pollMs), ended.catch(() => undefined)]);
      const progress = await progressOf(handle);
      if (progress) shown.show(progress);
      unanswered = progress ? 0 : unanswered + 1;
      if (unanswered === patience)
        display.warn('no worker answers: is one running? `npx nautil status` tells, `npx nautil up` starts one');
    }
    const result = await ended;
    display.close();
    await showResult(result, { json: options.json ?? false, uiUrl });
  } catch (error) {
    display.close();
    throw failureOf(error, workflowId);
  } finally {
    interruption.removeEventListener('abort', leave);
  }
}

/** Undefined while no worker answers. */
async function progressOf(handle: WorkflowHandle): Promise<Progress | undefined> {
  try {
    return await handle.query<Progress>(progressQuery);
  } catch (error) {
    if (error instanceof QueryNotRegisteredError) throw error;
    return undefined;
  }
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

/** The failure that the workflow ended with, as an error of this process. */
function failureOf(error: unknown, workflowId: string): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  const { cause } = error;
  if (cause instanceof CancelledFailure) {
    return new RunFailed({
      type: 'Cancelled',
      kind: 'interrupted',
      message: `${workflowId} was cancelled`,
      hint: `\`npx nautil resume ${workflowId}\` goes on with it`,
      cause,
    });
  }
  if (!(cause instanceof ApplicationFailure)) return error;
  const details = (cause.details?.[0] ?? {}) as { kind?: ErrorKind; hint?: string };
  const resume = `\`npx nautil resume ${workflowId}\` goes on with the run when that is mended`;
  return new RunFailed({
    type: cause.type ?? 'RunFailed',
    kind: details.kind ?? 'training',
    message: cause.message,
    hint: details.hint ? `${details.hint}\n${resume}` : resume,
    cause,
  });
}
