import { packageRoot } from '@nautil/store';
import { createHash } from 'node:crypto';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Metric, RunStatus } from './entities.js';
import { Journal, readJournal, readJournalId } from './journal.js';
import type { JournalRecord } from './journal-record.js';
import { JournalSender } from './journal-sender.js';
import { MlflowClient } from './mlflow-client.js';
import { mlflowKey, paramValue, tagValue } from './names.js';
import { sourceTags } from './source-tags.js';
import { runUrl } from './ui-address.js';

export interface TrackerOptions {
  /** The server, or its address; default env MLFLOW_TRACKING_URI. */
  client?: MlflowClient | undefined;
  trackingUri?: string;

  /** Name of the experiment; made when there is none. */
  experiment: string;

  /** Shown in the UI; default the workflow id, else the name of the journal. */
  runName?: string;

  /**
   * What the MLflow run is one of: of a workflow, its id and the key of the run among those of that id. The same pair goes
   * on with the same MLflow run, also from another process or machine; another key gets a new run, since params are
   * write-once. Without them the journal is the identity.
   */
  workflowId?: string;
  runKey?: string;

  /** The MLflow run that this one is shown under, as those of a sweep are. */
  parentRunId?: string | undefined;

  tags?: Record<string, string>;

  /** The file that everything is written to first. Keep it beside the checkpoints: a resumed run goes on with it. */
  journal: string;

  /** Told once when the server does not answer, and of each record that it refuses. Default console.warn. */
  warn?: (message: string) => void;

  /** How long opening may wait for the server; default 5,000. */
  connectTimeoutMs?: number;
}

/** How long records are gathered before they are sent. */
const lingerMs = 500;

/** At most this much of the journal is lost with the machine's power; nothing is lost with the process. */
const syncEveryMs = 1000;

const longestWaitMs = 30_000;

/** Between two times that the end of a run is tried to be sent. */
const askAgainMs = 1000;

/**
 * Opens the tracking of a run. Never fails because of the server: without one there is a warning, and the journal is sent
 * when it answers again, or by {@link syncJournal}.
 *
 * @example
 * const tracker = await openTracker({ trackingUri, experiment: 'TextClassification', journal: 'run/mlflow.jsonl' });
 * tracker.params(flattenParams(config));
 * tracker.metrics([{ key: 'train/loss', value: 0.7, step: 1, timestampMs: Date.now() }]);
 * await tracker.finish('FINISHED');
 * await tracker.close();
 *
 * @throws MlflowAddressInvalid when the address is not one of a server
 */
export async function openTracker(o: TrackerOptions): Promise<Tracker> {
  const client = o.client ?? new MlflowClient({ trackingUri: o.trackingUri });
  const journal = new Journal(o.journal);
  const key = keyOf(o, (await readJournalId(o.journal)) ?? '');
  const closing = new AbortController();
  const warn = o.warn ?? console.warn;
  const sender = new JournalSender({ client: client.until(closing.signal), journal: o.journal, warn });
  await sender.load();
  const tracker = new Tracker({
    trackingUri: client.trackingUri,
    journal,
    sender,
    closing,
    warn,
    logged: await loggedSteps(o.journal, key),
  });
  tracker.open({
    key,
    experiment: o.experiment,
    runName: o.runName ?? o.workflowId ?? basename(o.journal).replace(/\.\w+$/, ''),
    tags: {
      ...(await sourceTags(packageRoot())),
      ...(o.workflowId === undefined ? {} : { 'nautil.workflow_id': o.workflowId }),
      ...(o.parentRunId === undefined ? {} : { 'mlflow.parentRunId': o.parentRunId }),
      ...o.tags,
    },
  });
  await tracker.flush({ timeoutMs: o.connectTimeoutMs ?? 5000 });
  return tracker;
}

/** One MLflow run. The logging methods return at once and never throw: they write to the journal, which is sent behind them. */
export class Tracker {
  readonly #trackingUri: string;
  readonly #journal: Journal;
  readonly #sender: JournalSender;
  readonly #warn: (message: string) => void;
  readonly #logged: ReadonlyMap<string, number>;
  readonly #closing: AbortController;
  #sending: Promise<boolean> | undefined;
  #sendTimer: NodeJS.Timeout | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #hasWarned = new Set<'server' | 'journal'>();

  /** @internal by {@link openTracker} */
  constructor(o: {
    trackingUri: string;
    journal: Journal;
    sender: JournalSender;

    /** Ends the sender's requests. */
    closing: AbortController;
    warn: (message: string) => void;

    /** Of each metric, the highest step that the journal has from before. */
    logged: ReadonlyMap<string, number>;
  }) {
    this.#trackingUri = o.trackingUri;
    this.#journal = o.journal;
    this.#sender = o.sender;
    this.#closing = o.closing;
    this.#warn = o.warn;
    this.#logged = o.logged;
  }

  /** Undefined until the server has answered for the first time. */
  get runId(): string | undefined {
    return this.#sender.runId;
  }

  /** The run's page in MLflow's UI; undefined as long as {@link runId} is. */
  get runUrl(): string | undefined {
    const { runId, experimentId } = this.#sender;
    return runId && experimentId ? runUrl(this.#trackingUri, experimentId, runId) : undefined;
  }

  /** @internal */
  open(o: { key: string; experiment: string; runName: string; tags: Record<string, string> }): void {
    this.#append({ type: 'open', ...o, tags: cleanTags(o.tags), timestampMs: Date.now() });
  }

  /** Write-once: a param that the run has with another value keeps it, with a warning. See `flattenParams`. */
  params(params: Readonly<Record<string, unknown>>): void {
    const entries = Object.entries(params).map(([key, value]) => [mlflowKey(key), paramValue(value)]);
    this.#append({ type: 'params', params: Object.fromEntries(entries) });
  }

  /**
   * Logs rows. A step at or below one that the journal had for the metric when it was opened is a repetition of what was
   * done before the resume, and is passed over: its values are the same, but its new timestamp would make a second row.
   */
  metrics(rows: readonly Metric[]): void {
    const fresh = rows.filter(({ key, step }) => step > (this.#logged.get(mlflowKey(key)) ?? -Infinity));
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

  tags(tags: Readonly<Record<string, string>>): void {
    this.#append({ type: 'tags', tags: cleanTags(tags) });
  }

  /** Stores a file, by default under its name. It must stay where it is until it has been sent: see {@link flush}. */
  artifact(file: string, path = basename(file)): void {
    this.#append({ type: 'artifact', file: resolve(file), path });
  }

  /** Stores a text. It is kept in the journal: for reports, configurations and pictures, not for models. */
  text(path: string, content: string): void {
    this.#append({ type: 'text', path, content });
  }

  /**
   * Brings the journal to the disk, and what it holds by now to the server.
   *
   * @returns false when the server did not answer within the time (default 30,000 ms); the journal is kept and sent later
   */
  async flush({ timeoutMs = 30_000 }: { timeoutMs?: number } = {}): Promise<boolean> {
    await this.#journal.sync().catch((error: unknown) => this.#warnOnce('journal', error));
    const deadline = Date.now() + timeoutMs;
    // What is being sent at this moment may have begun before the newest records came.
    if (this.#sending && !(await within(deadline - Date.now(), this.#sending))) return false;
    return within(deadline - Date.now(), this.#send());
  }

  /**
   * Closes the run in MLflow, and flushes. A message says why it failed: it is shown as the run's description.
   *
   * @param o.patienceMs - how long a server that is away, and has answered this run before, is asked again; default not
   * @returns false when part of the run is in the journal alone
   */
  async finish(
    status: Exclude<RunStatus, 'RUNNING' | 'SCHEDULED'>,
    message?: string,
    { patienceMs = 0, ...o }: { timeoutMs?: number; patienceMs?: number } = {},
  ): Promise<boolean> {
    const why = message === undefined ? {} : { message: tagValue(message) };
    this.#append({ type: 'end', status, timestampMs: Date.now(), ...why });
    const begun = Date.now();
    let arrived = await this.flush(o);
    while (!arrived && this.runId !== undefined && Date.now() - begun < patienceMs) {
      await sleep(askAgainMs);
      arrived = await this.flush(o);
    }
    if (!arrived) {
      this.#warn(`part of the run is only in ${this.#journal.path} so far; \`nautil runs sync\` sends it to MLflow`);
    }
    return arrived;
  }

  /** Stops sending and closes the journal. What was not sent stays in it. */
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
      this.#warnOnce('journal', error); // a full disk: training has its own way to find out
      return;
    }
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      this.#journal.sync().catch((error: unknown) => this.#warnOnce('journal', error));
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

  /** One attempt to send all there is; true when it succeeded. Never two at once. */
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
    if (this.#hasWarned.has(about)) return;
    this.#hasWarned.add(about);
    const { message } = error as Error;
    this.#warn(
      about === 'server'
        ? `${message}; the run goes on and is tracked in ${this.#journal.path} meanwhile`
        : `the journal ${this.#journal.path} cannot be written: ${message}; the run goes on and is not tracked`,
    );
  }
}

const cleanTags = (tags: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(tags).map(([key, value]) => [mlflowKey(key), tagValue(value)]));

/** A digest: ids may hold quotes, and MLflow's filter language cannot escape them. */
function keyOf({ workflowId = '', runKey }: TrackerOptions, journalId: string): string {
  const identity = JSON.stringify([workflowId, runKey ?? journalId]);
  return createHash('sha256').update(identity).digest('hex').slice(0, 32);
}

/** The highest step of each metric that a journal holds for a run. */
async function loggedSteps(path: string, key: string): Promise<Map<string, number>> {
  const highest = new Map<string, number>();
  let offset = 0;
  for (;;) {
    const { records, end } = await readJournal(path, offset, 4 * 1024 * 1024);
    if (end === offset) return highest;
    offset = end;
    for (const { record } of records) {
      if (record.type === 'open' && record.key !== key) highest.clear();
      if (record.type !== 'metrics') continue;
      for (const [metric, , step] of record.rows) {
        highest.set(metric, Math.max(step, highest.get(metric) ?? -Infinity));
      }
    }
  }
}

/** False when the promise takes longer. */
async function within(milliseconds: number, promise: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, Math.max(0, milliseconds), false)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
