import { setTimeout as sleep } from 'node:timers/promises';
import { NautilError, progressQuery, type ErrorKind } from '@nautil/contracts';
import type { TrainingDisplay } from './terminal/training-display.js';
import {
  ApplicationFailure,
  CancelledFailure,
  QueryNotRegisteredError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { interruption } from './interruption.js';

/** How a command shows a workflow that it started or found. */
export interface FollowOptions {
  /** Address of Temporal's UI. */
  uiUrl?: string | undefined;

  /** Say where it runs, and return. */
  detach?: boolean;

  /** Print the result as JSON on standard output. */
  json?: boolean;
}

/** A run or a sweep ended without a result. */
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

/** The page of a workflow in Temporal's UI. */
export const workflowUrl = (uiUrl: string | undefined, workflowId: string): string | undefined =>
  uiUrl && `${uiUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}`;

/**
 * Asks a workflow for its progress until it has ended, and resolves to its result. Ctrl-C ends the asking; the workflow
 * goes on.
 *
 * @param o.what - what a reader calls it: `run` or `sweep`
 * @throws an error with the workflow's own type, message and hint when it failed
 */
export async function followWorkflow<Progress, Result>(
  handle: WorkflowHandle,
  o: { what: string; display: TrainingDisplay; show: (progress: Progress) => void | Promise<void> },
): Promise<Result> {
  const { workflowId } = handle;
  const ended = handle.result() as Promise<Result>;
  let over = false;
  ended.catch(() => undefined).finally(() => (over = true));
  let unanswered = 0;
  const leave = (): void => {
    o.display.close();
    process.stderr.write(
      `the ${o.what} goes on; follow it with \`npx nautil resume ${workflowId}\`, end it with \`temporal workflow cancel -w ${workflowId}\`\n`,
    );
    process.exit(130);
  };
  interruption.addEventListener('abort', leave);
  try {
    while (!over) {
      await Promise.race([sleep(pollMs), ended.catch(() => undefined)]);
      const progress = await progressOf<Progress>(handle);
      if (progress) await o.show(progress);
      unanswered = progress ? 0 : unanswered + 1;
      if (unanswered === patience)
        o.display.warn('no worker answers: is one running? `npx nautil status` tells, `npx nautil up` starts one');
    }
    return await ended;
  } catch (error) {
    throw failureOf(error, o.what, workflowId);
  } finally {
    o.display.close();
    interruption.removeEventListener('abort', leave);
  }
}

/** Undefined while no worker answers. */
async function progressOf<Progress>(handle: WorkflowHandle): Promise<Progress | undefined> {
  try {
    return await handle.query<Progress>(progressQuery);
  } catch (error) {
    if (error instanceof QueryNotRegisteredError) throw error;
    return undefined;
  }
}

/** The failure that the workflow ended with, as an error of this process. */
function failureOf(error: unknown, what: string, workflowId: string): unknown {
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
  const resume = `\`npx nautil resume ${workflowId}\` goes on with the ${what} when that is mended`;
  return new RunFailed({
    type: cause.type ?? 'RunFailed',
    kind: details.kind ?? 'training',
    message: cause.message,
    hint: details.hint ? `${details.hint}\n${resume}` : resume,
    cause,
  });
}
