import { existsSync } from 'node:fs';
import { mlflowTlsVariables } from '@nautil/store/http';
import { artifactLocation } from '../client/artifact-location.js';
import { createExperiment } from '../client/create-experiment.js';
import { createRun } from '../client/create-run.js';
import { deleteRun } from '../client/delete-run.js';
import { deleteTag } from '../client/delete-tag.js';
import { MlflowAddressInvalid, MlflowError } from '../client/errors.js';
import { getExperimentByName } from '../client/get-experiment-by-name.js';
import { getRun } from '../client/get-run.js';
import { hasArtifact } from '../client/has-artifact.js';
import { type ArtifactContent, logArtifact } from '../client/log-artifact.js';
import { type Batch, batchLimits, logBatch } from '../client/log-batch.js';
import { type Dataset, logInputs } from '../client/log-inputs.js';
import type { Metric } from '../client/metric.js';
import type { MlflowClient } from '../client/mlflow-client.js';
import { registerModel } from '../client/register-model.js';
import type { Run } from '../client/run.js';
import { searchRuns } from '../client/search-runs.js';
import { updateRun } from '../client/update-run.js';
import { isPlace } from '../names.js';
import { type DamagedLine, describeDamage, type JournalEntry, readJournal, syncJournalFile } from './journal.js';
import { type JournalPosition, readJournalPosition, writeJournalPosition } from './journal-position.js';
import {
  type JournalRecord,
  type ModelRegistered,
  type RunEnded,
  runKeyTag,
  type RunOpened,
} from './journal-record.js';

const descriptionTag = 'mlflow.note.content';
const mostWarnings = 10;
const failureTag = 'nautil.failure';

/** Makes MLflow's UI show the experiment as model training, with charts of its runs, rather than as a chat application. */
const experimentTags = { 'mlflow.experimentKind': 'custom_model_development' };

/**
 * Sends the pending records of a journal to MLflow, in order and at least once. The position is written after the server has
 * acknowledged a group of records; after a crash between the two, the group is sent again. Since all records are
 * idempotent, each takes effect exactly once.
 */
export class JournalSender {
  readonly #client: MlflowClient;
  readonly #journal: string;
  readonly #warn: (message: string) => void;
  #position: JournalPosition | undefined;

  /** Whether this process has seen that the run exists on the server. */
  #runExists = false;
  #deadLetters = 0;

  constructor(o: { client: MlflowClient; journal: string; warn: (message: string) => void }) {
    this.#client = o.client;
    this.#journal = o.journal;
    this.#warn = o.warn;
  }

  get runId(): string | undefined {
    return this.#position?.runId;
  }

  get experimentId(): string | undefined {
    return this.#position?.experimentId;
  }

  /** Bytes of the journal that the server has acknowledged. */
  get sentBytes(): number {
    return this.#position?.offset ?? 0;
  }

  /** Records that can never be sent, because the server refuses them or they are damaged. They are skipped with a warning. */
  get deadLetters(): number {
    return this.#deadLetters;
  }

  /** Reads the position that an earlier process reached. */
  async load(): Promise<JournalPosition> {
    return (this.#position = await readJournalPosition(this.#journal));
  }

  /**
   * Sends everything that the journal holds by now.
   *
   * @throws MlflowUnavailable or MlflowError when records stay pending; the acknowledged ones are not sent again
   */
  async send(): Promise<void> {
    let position = this.#position ?? (await this.load());
    if (position.runId !== undefined && !this.#runExists && !(await this.#checkRun(position.runId))) {
      position = this.#rewind(position);
    }
    for (let rewound = false; ;) {
      const { entries, damaged, end } = await readJournal(this.#journal, position.offset);
      if (end === position.offset) return;
      // Otherwise a power cut could leave a position after the end of the journal, and later records would never be sent.
      await syncJournalFile(this.#journal);
      const group = nextGroup(entries);
      try {
        if (group) await this.#sendGroup(group, position);
      } catch (error) {
        // The server may have lost its data, or a user has deleted the run: send the whole journal to a new run, once.
        const isLost =
          error instanceof MlflowError && position.runId !== undefined && !(await this.#checkRun(position.runId));
        if (!isLost || rewound) throw error;
        rewound = true;
        position = this.#rewind(position);
        continue;
      }
      position.offset = group?.end ?? end;
      for (const line of damaged) if (line.end <= position.offset) await this.#skipDamaged(line);
      await writeJournalPosition(this.#journal, position);
    }
  }

  #rewind({ journalId }: JournalPosition): JournalPosition {
    return (this.#position = { journalId, offset: 0 });
  }

  async #checkRun(runId: string): Promise<boolean> {
    const run = await getRun(this.#client, runId);
    return (this.#runExists = run?.info.lifecycleStage === 'active');
  }

  async #sendGroup(group: Group, position: JournalPosition): Promise<void> {
    if (group.type === 'open') return this.#openRun(group.record, position);
    const { runId } = position;
    if (runId === undefined) return; // every journal begins with `open`, but people can edit the file
    if (group.type === 'batch') return this.#logBatch(runId, group.batch);
    const { record } = group;
    switch (record.type) {
      case 'artifact':
        if (!existsSync(record.file)) {
          this.#skip(`artifact ${record.path}: ${record.file} does not exist any more`);
          return;
        }
        return this.#logArtifact(runId, record.path, { file: record.file });
      case 'text':
        return this.#logArtifact(runId, record.path, { text: record.content });
      case 'datasets':
        return this.#logDatasets(runId, record.datasets);
      case 'end':
        return this.#endRun(runId, record);
      case 'register':
        return this.#register(runId, record);
    }
  }

  /** Finds the run of the key or creates it, and makes it RUNNING. */
  async #openRun(record: RunOpened, position: JournalPosition): Promise<void> {
    const experimentId = await this.#experimentId(record.experiment);
    const run = (await this.#runsOf(experimentId, record.key))[0] ?? (await this.#createRun(experimentId, record));
    const { runId, status } = run.info;
    Object.assign(position, { runId, experimentId });
    this.#runExists = true;
    this.#warnOfArtifacts(run.info.artifactUri);
    this.#warnOfTls();
    if (status !== 'RUNNING') {
      await updateRun(this.#client, runId, { status: 'RUNNING' });
      for (const tag of [failureTag, descriptionTag]) if (tag in run.tags) await deleteTag(this.#client, runId, tag);
    }
    await this.#logBatch(runId, { tags: record.tags });
  }

  /** Reports at the start, and not after hours of training, that artifacts cannot be stored. Metrics can. */
  #warnOfArtifacts(artifactUri: string): void {
    try {
      artifactLocation(artifactUri, 'x', this.#client);
    } catch (error) {
      if (!(error instanceof MlflowAddressInvalid)) throw error;
      this.#warn(`artifacts will not be tracked: ${error.message} (${error.hint})`);
    }
  }

  /** The certificates of a login must not seem to protect a connection that is not encrypted. */
  #warnOfTls(): void {
    const { trackingUri, isOwn } = this.#client;
    const variables = isOwn && trackingUri.startsWith('http:') ? mlflowTlsVariables() : [];
    if (variables.length > 0)
      this.#warn(`no effect: ${variables.join(', ')}, because MLflow at ${trackingUri} is not reached by https`);
  }

  async #createRun(experimentId: string, { key, runName, timestampMs, tags }: RunOpened): Promise<Run> {
    const created = await createRun(this.#client, {
      experimentId,
      runName,
      startTime: timestampMs,
      tags: { ...tags, [runKeyTag]: key },
    }).catch(async (error: unknown) => {
      // The response may have been lost after the server created the run.
      const [existing] = await this.#runsOf(experimentId, key);
      if (existing) return existing;
      throw error;
    });
    // NOTE: a creation that timed out may still have succeeded, so that two runs exist. All processes agree on the first one
    // by time and id, and delete their own.
    const [first = created] = await this.#runsOf(experimentId, key);
    if (first.info.runId !== created.info.runId) await deleteRun(this.#client, created.info.runId);
    return first;
  }

  async #runsOf(experimentId: string, key: string): Promise<Run[]> {
    return searchRuns(this.#client, {
      experimentIds: [experimentId],
      filter: `tags.\`${runKeyTag}\` = '${key}'`,
      orderBy: ['attributes.start_time ASC', 'attributes.run_id ASC'],
    });
  }

  async #experimentId(name: string): Promise<string> {
    const found = await getExperimentByName(this.#client, name);
    if (found?.lifecycleStage === 'deleted') {
      throw new MlflowError(`the experiment ${name} was deleted in MLflow`, {
        status: 400,
        endpoint: 'GET experiments/get-by-name',
        hint: `restore it (\`mlflow experiments restore --experiment-id ${found.experimentId}\`) or set exp_manager.name to another name`,
      });
    }
    if (found) return found.experimentId;
    try {
      return await createExperiment(this.#client, name, experimentTags);
    } catch (error) {
      // Another process may have created it in the meantime.
      const existing = await getExperimentByName(this.#client, name);
      if (existing) return existing.experimentId;
      throw error;
    }
  }

  /** NOTE: MLflow refuses a whole batch for one bad row. Halving the batch isolates that row, so that the others arrive. */
  async #logBatch(runId: string, batch: Batch): Promise<void> {
    const size = sizeOf(batch);
    if (size === 0) return;
    try {
      await logBatch(this.#client, runId, batch);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (!(await this.#checkRun(runId))) throw error;
      if (size === 1) {
        this.#skip(error.message);
        return;
      }
      for (const half of halves(batch)) await this.#logBatch(runId, half);
    }
  }

  async #endRun(runId: string, { status, timestampMs, message }: RunEnded): Promise<void> {
    if (message !== undefined) {
      await this.#logBatch(runId, { tags: { [failureTag]: message, [descriptionTag]: message } });
    }
    await updateRun(this.#client, runId, { status, endTime: timestampMs });
  }

  /** An artifact that was skipped is not registered: MLflow would accept a version of a model without a file. */
  async #register(runId: string, { name, path }: ModelRegistered): Promise<void> {
    if (!(await hasArtifact(this.#client, runId, path))) {
      this.#skip(`a version of the model ${name}: the run has no artifact ${path}`);
      return;
    }
    try {
      await registerModel(this.#client, { name, runId, path });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#skip(`a version of the model ${name}: ${error.message}; register ${path} in MLflow under another name`);
    }
  }

  async #logDatasets(runId: string, datasets: readonly Dataset[]): Promise<void> {
    try {
      await logInputs(this.#client, runId, datasets);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#skip(`the datasets: ${error.message}`);
    }
  }

  async #logArtifact(runId: string, path: string, content: ArtifactContent): Promise<void> {
    try {
      await logArtifact(this.#client, runId, path, content);
    } catch (error) {
      if (!isRefusal(error) && !(error instanceof MlflowAddressInvalid)) throw error;
      this.#skip(`artifact ${path}: ${error.message}${error.hint === undefined ? '' : ` (${error.hint})`}`);
    }
  }

  #skip(reason: string): void {
    this.#deadLetters++;
    if (this.#deadLetters <= mostWarnings) this.#warn(`not tracked: ${reason}`);
  }

  async #skipDamaged(line: DamagedLine): Promise<void> {
    if (this.#deadLetters < mostWarnings) this.#skip(await describeDamage(this.#journal, line));
    else this.#deadLetters++;
  }
}

/** Records that are sent alone. */
const singleTypes = ['artifact', 'text', 'datasets', 'end', 'register'] as const;
type SingleType = (typeof singleTypes)[number];
const isSingle = (record: JournalRecord): record is Extract<JournalRecord, { type: SingleType }> =>
  singleTypes.some((type) => type === record.type);

/** Records that are sent in one request, with the offset after the last of them. */
type Group = { end: number } & (
  | { type: 'open'; record: RunOpened }
  | { type: 'batch'; batch: Batch }
  | { type: 'single'; record: Extract<JournalRecord, { type: SingleType }> }
);

/** Takes as many of the first records as fit into one request. */
function nextGroup(entries: readonly JournalEntry[]): Group | undefined {
  const first = entries[0];
  if (!first) return undefined;
  const single = first.record;
  if (single.type === 'open') return { type: 'open', record: single, end: first.end };
  if (isSingle(single)) return { type: 'single', record: single, end: first.end };
  const metrics: Metric[] = [];
  const tags: Record<string, string> = {};
  let params: Record<string, string> | undefined;
  let groupEnd = 0;
  for (const { record, end } of entries) {
    if (record.type === 'metrics') {
      for (const [key, value, step, timestampMs] of record.rows) {
        metrics.push({ key, value: Number(value), step, timestampMs });
      }
    } else if (record.type === 'tags') {
      Object.assign(tags, record.tags);
    } else if (record.type === 'params' && !params) {
      // One record only: the server must see, and refuse, a second value of the same param.
      params = Object.fromEntries(Object.entries(record.params).filter(([key]) => !isPlace(key)));
    } else break;
    groupEnd = end;
    if (sizeOf({ metrics, params: params ?? {}, tags }) >= batchLimits.entries) break;
  }
  return { type: 'batch', batch: { metrics, params: params ?? {}, tags }, end: groupEnd };
}

const isRefusal = (error: unknown): error is MlflowError => error instanceof MlflowError && error.status === 400;

const sizeOf = ({ metrics = [], params = {}, tags = {} }: Batch): number =>
  metrics.length + Object.keys(params).length + Object.keys(tags).length;

/** Splits a batch in two or three: by kind, or, when it holds one kind only, in halves. */
function halves({ metrics = [], params = {}, tags = {} }: Batch): Batch[] {
  const kinds = [{ metrics }, { params }, { tags }].filter((kind) => sizeOf(kind) > 0);
  if (kinds.length > 1) return kinds;
  const [m, p, t] = [splitInTwo(metrics), splitInTwo(Object.entries(params)), splitInTwo(Object.entries(tags))];
  return [0, 1].map((i) => ({
    metrics: m[i] ?? [],
    params: Object.fromEntries(p[i] ?? []),
    tags: Object.fromEntries(t[i] ?? []),
  }));
}

function splitInTwo<T>(list: readonly T[]): T[][] {
  const middle = Math.ceil(list.length / 2);
  return [list.slice(0, middle), list.slice(middle)];
}
