import { createHash } from 'node:crypto';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '@nautil/store/folders';
import type { Dataset } from './client/log-inputs.js';
import type { Metric } from './client/metric.js';
import { MlflowClient } from './client/mlflow-client.js';
import { Journal, readJournalId } from './journal/journal.js';
import type { JournalRecord, RunEnded } from './journal/journal-record.js';
import { JournalSender } from './journal/journal-sender.js';
import { LoggedSteps } from './journal/logged-steps.js';
import { mlflowKey, paramValue, tagValue } from './names.js';
import { runUrl } from './run-url.js';
import { sourceTags } from './source-tags.js';
import { warnOnStderr } from './warn-on-stderr.js';

export interface TrackerOptions {
  /** The server, or its address; default env MLFLOW_TRACKING_URI. */
  client?: MlflowClient | undefined;
  trackingUri?: string | undefined;

  /** As {@link MlflowClient} takes it. */
  ownServer?: string | undefined;

  /** Name of the experiment, which is created when it does not exist. */
  experiment: string;

  /** Shown in the UI; default: the workflow id, or else the name of the journal. */
  runName?: string | undefined;

  /**
   * Identity of the run: the same (workflowId, runKey) reopens the same MLflow run, also from another process or machine. A
   * new key gets a new run, since params are write-once. Without both, the journal is the identity.
   */
  workflowId?: string | undefined;
  runKey?: string | undefined;

  /** The MLflow run below which the UI shows this one; the trials of a sweep have one. */
  parentRunId?: string | undefined;

  tags?: Record<string, string> | undefined;

  /** The data that the run reads. */
  datasets?: readonly Dataset[] | undefined;

  /** The write-ahead log. Keep it beside the checkpoints: a resumed run continues it. */
  journal: string;

  /** Called once when the server does not respond, and for each record that it refuses. Default: print it to stderr. */
  warn?: ((message: string) => void) | undefined;

  /** True when the caller only ends the run: then `finish` alone reports a server that does not respond. */
  isEnding?: boolean;

  /** How many times a request is sent before the server counts as down; default: that of {@link MlflowClient}. */
  attempts?: number | undefined;

  /** How long opening may wait for the server; default 5,000. */
  connectTimeoutMs?: number | undefined;
}

/** Of this process: it runs the code that was there when it started. Asking git takes 0.1 s. */
let source: Promise<Record<string, string>> | undefined;

/** How long records are collected before they are sent together. */
const lingerMs = 500;

/** A power cut loses at most this much of the journal; the end of the process loses nothing. */
const syncEveryMs = 1000;

const longestWaitMs = 30_000;

/** Delay between two attempts to send the end of a run. */
const finishRetryMs = 1000;

/**
 * Starts to track a run. It never fails because of the server: when the server does not respond, it warns, and the journal is
 * sent later, when the server responds again or by {@link syncJournal}.
 *
 * @example
 * const tracker = await openTracker({ trackingUri, experiment: 'TextClassification', journal: 'run/mlflow.jsonl' });
 * tracker.params(flattenParams(config));
 * tracker.metrics([{ key: 'train/loss', value: 0.7, step: 1, timestampMs: Date.now() }]);
 * await tracker.finish('FINISHED');
 * await tracker.close();
 *
 * @throws MlflowAddressInvalid when the address is not that of a server
 */
export async function openTracker(o: TrackerOptions): Promise<Tracker> {
  const client =
    o.client ?? new MlflowClient({ trackingUri: o.trackingUri, ownServer: o.ownServer, attempts: o.attempts });
  const journal = new Journal(o.journal);
  const key = keyOf(o, (await readJournalId(o.journal)) ?? '');
  const closing = new AbortController();
  const warn = o.warn ?? warnOnStderr;
  const sender = new JournalSender({ client: client.until(closing.signal), journal: o.journal, warn });
  await sender.load();
  const tracker = new Tracker({
    trackingUri: client.trackingUri,
    journal,
    sender,
    closing,
    warn,
    isEnding: o.isEnding ?? false,
    logged: await LoggedSteps.read(o.journal, key),
  });
  tracker.open({
    key,
    experiment: o.experiment,
    runName: o.runName ?? o.workflowId ?? basename(o.journal).replace(/\.\w+$/, ''),
    tags: {
      ...(await (source ??= sourceTags(packageRoot()))),
      ...(o.workflowId === undefined ? {} : { 'nautil.workflow_id': o.workflowId }),
      ...(o.parentRunId === undefined ? {} : { 'mlflow.parentRunId': o.parentRunId }),
      ...o.tags,
    },
  });
  if (o.datasets !== undefined) tracker.datasets(o.datasets);
  await tracker.flush({ timeoutMs: o.connectTimeoutMs ?? 5000 });
  return tracker;
}

/**
 * One MLflow run. The logging methods return at once and never throw: they append to the journal, which is sent in the
 * background.
 */
export class Tracker {
  readonly #trackingUri: string;
  readonly #journal: Journal;
  readonly #sender: JournalSender;
  readonly #warn: (message: string) => void;
  readonly #logged: LoggedSteps;
  #openedMs = 0;
  readonly #closing: AbortController;
  #sending: Promise<boolean> | undefined;
  #sendTimer: NodeJS.Timeout | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #isEnding: boolean;

  /** Why the server did not take the records last time. */
  #serverProblem: string | undefined;
  #hasWarned = new Set<'server' | 'journal'>();

  /** @internal by {@link openTracker} */
  constructor(o: {
    trackingUri: string;
    journal: Journal;
    sender: JournalSender;

    /** Ends the sender's requests. */
    closing: AbortController;
    warn: (message: string) => void;
    isEnding: boolean;

    /** The steps that the journal held when it was opened. */
    logged: LoggedSteps;
  }) {
    this.#trackingUri = o.trackingUri;
    this.#journal = o.journal;
    this.#isEnding = o.isEnding;
    this.#sender = o.sender;
    this.#closing = o.closing;
    this.#warn = o.warn;
    this.#logged = o.logged;
  }

  /** Undefined until the server has responded for the first time. */
  get runId(): string | undefined {
    return this.#sender.runId;
  }

  /** The run's page in MLflow's UI; undefined while {@link runId} is. */
  get runUrl(): string | undefined {
    const { runId, experimentId } = this.#sender;
    if (runId === undefined || experimentId === undefined) return undefined;
    return runUrl(this.#trackingUri, experimentId, runId);
  }

  /** @internal */
  open(o: { key: string; experiment: string; runName: string; tags: Record<string, string> }): void {
    const timestampMs = Date.now();
    this.#openedMs = Math.max(timestampMs, this.#logged.openedMs);
    this.#append({ type: 'open', ...o, tags: cleanTags(o.tags), timestampMs });
  }

  /** Params are write-once: a param that already has another value keeps it, with a warning. See `flattenParams`. */
  params(params: Readonly<Record<string, unknown>>): void {
    const entries = Object.entries(params).map(([key, value]): [string, string] => [mlflowKey(key), paramValue(value)]);
    this.#append({ type: 'params', params: Object.fromEntries(entries) });
  }

  /**
   * Logs rows. A row is skipped when the journal already had that step of its metric when it was opened: a resumed run repeats
   * such steps. The values would be the same, but the new timestamp would create a second row.
   */
  metrics(rows: readonly Metric[]): void {
    const fresh = rows.filter(({ key, step }) => !this.#logged.has(mlflowKey(key), step));
    if (fresh.length === 0) return;
    this.#append({
      type: 'metrics',
      rows: fresh.map(({ key, value, step, timestampMs }) => [
        mlflowKey(key),
        Number.isFinite(value) ? value : String(value),
        step,
        Math.round(timestampMs),
      ]),
    });
  }

  datasets(datasets: readonly Dataset[]): void {
    const shown = datasets.map((one) => ({ ...one, source: tagValue(one.source) }));
    this.#append({ type: 'datasets', datasets: shown });
  }

  tags(tags: Readonly<Record<string, string>>): void {
    this.#append({ type: 'tags', tags: cleanTags(tags) });
  }

  /** Stores a file, by default under its name. The file must stay in place until it has been sent: see {@link flush}. */
  artifact(file: string, path = basename(file)): void {
    this.#append({ type: 'artifact', file: resolve(file), path });
  }

  /** Stores a text. The journal holds its content, so use it for reports, configurations and pictures, not for models. */
  text(path: string, content: string): void {
    this.#append({ type: 'text', path, content });
  }

  /** Writes the journal to disk. A power cut can lose up to a second of records that no call of this method has followed. */
  async sync(): Promise<void> {
    await this.#journal.sync().catch((error: unknown) => this.#warnOnce('journal', error));
  }

  /**
   * Writes the journal to disk and sends everything that it holds by now.
   *
   * @returns false when the server did not respond in time (default 30,000 ms); the journal is kept and sent later
   */
  async flush({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<boolean> {
    await this.sync();
    const deadline = performance.now() + timeoutMs;
    // A transfer that is already under way may have started before the newest records were appended.
    if (this.#sending && !(await within(deadline - performance.now(), this.#sending))) return false;
    return within(deadline - performance.now(), this.#send());
  }

  /**
   * Ends the run in MLflow, and flushes. A message that explains a failure is shown as the run's description.
   *
   * @param o.register - the name under which an artifact becomes a version of a registered model
   * @param o.patienceMs - how long to retry when the server is away, provided that it has responded to this run before;
   *   default 0
   * @returns false when a part of the run is only in the journal
   */
  async finish(
    status: RunEnded['status'],
    message?: string,
    {
      patienceMs = 0,
      register,
      ...o
    }: { timeoutMs?: number; patienceMs?: number; register?: { name: string; path: string } | undefined } = {},
  ): Promise<boolean> {
    const why = message === undefined ? {} : { message: tagValue(message) };
    // The clock may have been set back since the run began, and MLflow shows the time between.
    const timestampMs = Math.max(Date.now(), this.#openedMs);
    this.#append({ type: 'end', status, timestampMs, ...why });
    // After the end, so that a model registry that fails does not leave the run open.
    if (register) this.#append({ type: 'register', ...register });
    this.#isEnding = true;
    const startedMs = performance.now();
    let arrived = await this.flush(o);
    while (!arrived && this.runId !== undefined && performance.now() - startedMs < patienceMs) {
      await sleep(finishRetryMs);
      arrived = await this.flush(o);
    }
    if (!arrived) {
      const missing = register ? `, and its model is not registered as ${register.name}` : '';
      const reason = this.#serverProblem === undefined ? '' : ` (${this.#serverProblem})`;
      this.#warn(
        `a part of the run is only in ${this.#journal.path} so far${reason}${missing}; \`npx nautil runs sync\` sends it to MLflow`,
      );
    }
    return arrived;
  }

  /** Stops sending and closes the journal. Pending records stay in it. */
  async close(): Promise<void> {
    clearTimeout(this.#sendTimer);
    clearTimeout(this.#syncTimer);
    this.#closing.abort();
    await this.#sending;
    clearTimeout(this.#sendTimer);
    await this.#journal.sync().catch(() => undefined);
    this.#journal.close();
  }

  #append(record: JournalRecord): void {
    try {
      this.#journal.append(record);
    } catch (error) {
      this.#warnOnce('journal', error); // for example a full disk, which the training notices by itself
      return;
    }
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      void this.sync();
    }, syncEveryMs).unref();
    this.#sendIn(lingerMs);
  }

  #sendIn(delayMs: number): void {
    if (this.#closing.signal.aborted) return;
    this.#sendTimer ??= setTimeout(() => {
      this.#sendTimer = undefined;
      void this.#send();
    }, delayMs).unref();
  }

  /** Sends all pending records, never twice at a time; true when it succeeded. */
  #send(): Promise<boolean> {
    this.#sending ??= this.#attempt().finally(() => (this.#sending = undefined));
    return this.#sending;
  }

  async #attempt(): Promise<boolean> {
    try {
      await this.#sender.send();
      this.#failures = 0;
      return true;
    } catch (error) {
      if (this.#closing.signal.aborted) return false;
      this.#warnOnce('server', error);
      this.#failures++;
      this.#sendIn(Math.random() * Math.min(longestWaitMs, 1000 * 2 ** this.#failures));
      return false;
    }
  }

  #warnOnce(about: 'server' | 'journal', error: unknown): void {
    const { message } = error as Error;
    if (about === 'server') this.#serverProblem = message;
    // At the end, `finish` reports what has not arrived, with the reason.
    if (this.#hasWarned.has(about) || (about === 'server' && this.#isEnding)) return;
    this.#hasWarned.add(about);
    this.#warn(
      about === 'server'
        ? `${message}; the run continues, and ${this.#journal.path} records it in the meantime`
        : `the journal ${this.#journal.path} cannot be written: ${message}; the run continues without being tracked`,
    );
  }
}

const cleanTags = (tags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(tags).map(([key, value]) => [mlflowKey(key), tagValue(value)]));

/** A digest, because ids may contain quotes, which MLflow's filter language cannot escape. */
function keyOf({ workflowId = '', runKey }: TrackerOptions, journalId: string): string {
  const identity = JSON.stringify([workflowId, runKey ?? journalId]);
  return createHash('sha256').update(identity).digest('hex').slice(0, 32);
}

/** Waits for a promise; false when it takes longer than the given time. */
async function within(milliseconds: number, promise: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((settle) => (timer = setTimeout(settle, Math.max(0, milliseconds), false)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
