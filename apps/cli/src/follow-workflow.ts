import { setTimeout as sleep } from 'node:timers/promises';
import {
  ApplicationFailure,
  CancelledFailure,
  QueryNotRegisteredError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import {
  type ErrorKind,
  type FailureDetails,
  isFailureDetails,
  messageWithoutHint,
  nautilCommand,
  NautilError,
  progressQuery,
} from '@nautil/contracts';
import type { TemporalConnection } from '@nautil/stack';
import { interruption } from './interruption.js';
import { printData, printMessage } from './output.js';
import { pollingOf } from './polling-of.js';
import { remedyAfterFailure } from './remedy-after-failure.js';
import { startWorkerCommand } from './start-worker-command.js';
import { formatFact } from './terminal/format-fact.js';
import { TrainingDisplay } from './terminal/training-display.js';
import { workflowUrl } from './workflow-url.js';

/** What the user chose about following a workflow. */
export interface FollowOptions {
  /** Address of Temporal's UI. */
  uiUrl?: string | undefined;

  temporal: TemporalConnection;

  /** Only print where the workflow runs. */
  detach?: true | undefined;

  /** Print the result as JSON. */
  json?: true | undefined;
}

/** How one type of workflow is shown. */
export interface Follower<Progress, Result> {
  noun: 'run' | 'sweep';

  /** Called once; the function that it returns shows each progress that the workflow reports. */
  showProgress: (display: TrainingDisplay) => (progress: Progress) => void | Promise<void>;

  printResult: (result: Result, temporalUrl: string | undefined) => Promise<void>;
}

/** A run or a sweep ended without a result. */
class RunFailed extends NautilError {
  override readonly name: string;
  readonly kind: ErrorKind;

  constructor(o: { type: string; kind: ErrorKind; message: string; hint: string; cause: unknown }) {
    super(o.message, { hint: o.hint, cause: o.cause });
    this.name = o.type;
    this.kind = o.kind;
  }
}

const pollMs = 1000;

/** How long a query waits for a worker; the SDK's default makes the absence of one known only after minutes. */
const queryTimeoutMs = 3000;

/** Polls without an answer from a worker before the user is warned, where one polled a short time ago. */
const unansweredPolls = 5;

/**
 * Prints where a workflow runs, shows its progress until it ends, and prints its result. Ctrl-C ends the command; the workflow
 * continues.
 *
 * @throws an error with the workflow's own type, message and hint when it failed
 */
export async function followWorkflow<Progress, Result>(
  handle: WorkflowHandle,
  { uiUrl, temporal, detach, json }: FollowOptions,
  { noun, showProgress, printResult: printIt }: Follower<Progress, Result>,
): Promise<void> {
  const { workflowId } = handle;
  const temporalUrl = workflowUrl(uiUrl, { namespace: temporal.namespace, workflowId });
  printMessage(`${noun} ${workflowId}${temporalUrl ? `\nTemporal: ${temporalUrl}` : ''}`);
  const display = new TrainingDisplay();
  if (detach) {
    await warnIfUnpolled(handle, display);
    const commands = {
      progress: 'progress',
      follow: 'resume',
      ...(noun === 'run' && { log: 'logs' }),
      cancel: 'cancel',
    };
    for (const [title, command] of Object.entries(commands))
      printMessage(formatFact(title, nautilCommand(command, workflowId), Infinity));
    return;
  }

  const leave = (): void => {
    display.close();
    printMessage(
      `the ${noun} continues; \`${nautilCommand('resume', workflowId)}\` follows it, \`${nautilCommand('cancel', workflowId)}\` ends it`,
    );
    process.exit(130);
  };
  interruption.addEventListener('abort', leave);
  let result: Result;
  try {
    const show = showProgress(display);
    const poll = async (): Promise<boolean> => {
      const progress = await queryProgress<Progress>(handle);
      if (progress !== undefined) await show(progress);
      return progress !== undefined;
    };
    await pollUntilEnd(handle, display, poll);
    result = (await handle.result()) as Result;
  } catch (error) {
    throw toCliError(error, noun, workflowId);
  } finally {
    display.close();
    interruption.removeEventListener('abort', leave);
  }
  if (json) await printData(JSON.stringify(result));
  else await printIt(result, temporalUrl);
}

/** Returns whether it has warned. The warning only explains a wait: the following polls report a server that is gone. */
async function warnIfUnpolled(handle: WorkflowHandle, display: TrainingDisplay): Promise<boolean> {
  const polling = await pollingOf(handle).catch(() => undefined);
  if (polling === undefined || polling.isPolled) return false;
  display.warn(noWorkerOn(polling.taskQueue));
  return true;
}

const noWorkerOn = (taskQueue: string): string =>
  `no worker answers on the task queue ${taskQueue}: \`npx nautil status\` shows whether one is running, \`${startWorkerCommand(taskQueue)}\` starts one; the workflow waits for it, and Ctrl-C ends only this command`;

/** @param poll resolves to whether a worker answered */
async function pollUntilEnd(
  handle: WorkflowHandle,
  display: TrainingDisplay,
  poll: () => Promise<boolean>,
): Promise<void> {
  const state = { hasEnded: false };
  const setEnded = (): void => void (state.hasEnded = true);
  const end = handle.result().then(setEnded, setEnded);
  let unanswered = (await warnIfUnpolled(handle, display)) ? unansweredPolls : 0;
  while (!state.hasEnded) {
    await Promise.race([sleep(pollMs), end]);
    unanswered = (await poll()) ? 0 : unanswered + 1;
    if (unanswered !== unansweredPolls) continue;
    // A server that does not answer either is reported by `result`, which waits for it.
    const described = await handle.describe().catch(() => undefined);
    if (described) display.warn(noWorkerOn(described.taskQueue));
  }
}

/** Undefined while no worker answers. */
async function queryProgress<Progress>(handle: WorkflowHandle): Promise<Progress | undefined> {
  try {
    return await handle.client.withDeadline(Date.now() + queryTimeoutMs, () => handle.query<Progress>(progressQuery));
  } catch (error) {
    if (error instanceof QueryNotRegisteredError) throw error;
    return undefined;
  }
}

/** The failure of a workflow as an error of this program. */
function toCliError(error: unknown, noun: 'run' | 'sweep', workflowId: string): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  const { cause } = error;
  if (cause instanceof CancelledFailure) {
    return new RunFailed({
      type: 'Cancelled',
      kind: 'interrupted',
      message: `${workflowId} was cancelled`,
      hint: `\`${nautilCommand('resume', workflowId)}\` continues it`,
      cause,
    });
  }
  if (!(cause instanceof ApplicationFailure)) return error;
  const [recorded] = cause.details ?? [];
  const { kind, hint, setting }: FailureDetails = isFailureDetails(recorded) ? recorded : { kind: 'training' };
  const type = cause.type ?? 'RunFailed';
  const next = remedyAfterFailure({ type, kind, setting, noun, workflowId });
  return new RunFailed({
    type,
    kind,
    message: messageWithoutHint(cause.message, hint),
    hint: hint ? `${hint}\n${next}` : `fix the cause; ${next}`,
    cause,
  });
}
