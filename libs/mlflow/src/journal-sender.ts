import { existsSync } from 'node:fs';
import { readAcknowledged, writeAcknowledged, type Acknowledged } from './acknowledged.js';
import type { Metric, Run } from './entities.js';
import { MlflowAddressInvalid, MlflowError } from './errors.js';
import type { JournalRecord, RunEnded, RunOpened } from './journal-record.js';
import { runKeyTag } from './journal-record.js';
import { readJournal, type PositionedRecord } from './journal.js';
import { batchLimits, type Batch, type MlflowClient } from './mlflow-client.js';

const noteTag = 'mlflow.note.content';
const failureTag = 'nautil.failure';

/** MLflow's UI then opens the experiment among trainings, with the charts of its runs, and not among chat applications. */
const modelTraining = { 'mlflow.experimentKind': 'custom_model_development' };

/**
 * Sends a journal to MLflow, in order, each part once it is known that the part before it arrived. How far it came is
 * written beside the journal after the server has acknowledged; when that was not reached, the part is sent again and
 * leaves the same rows, so that nothing is lost and nothing is doubled.
 */
export class JournalSender {
  readonly #client: MlflowClient;
  readonly #journal: string;
  readonly #warn: (message: string) => void;
  #acknowledged: Acknowledged | undefined;

  /** Whether this process has seen the run on the server. */
  #runIsThere = false;
  #refusals = 0;

  constructor(o: { client: MlflowClient; journal: string; warn: (message: string) => void }) {
    this.#client = o.client;
    this.#journal = o.journal;
    this.#warn = o.warn;
  }

  get runId(): string | undefined {
    return this.#acknowledged?.runId;
  }

  get experimentId(): string | undefined {
    return this.#acknowledged?.experimentId;
  }

  /** Bytes of the journal that the server has. */
  get sentBytes(): number {
    return this.#acknowledged?.offset ?? 0;
  }

  /** Records that the server refused for good; they were passed over with a warning. */
  get refusals(): number {
    return this.#refusals;
  }

  /** Reads how far an earlier process came. */
  async load(): Promise<void> {
    this.#acknowledged = await readAcknowledged(this.#journal);
  }

  /**
   * Sends all that the journal holds by now.
   *
   * @throws MlflowUnavailable or MlflowError when the rest has to wait; what was acknowledged stays so
   */
  async send(): Promise<void> {
    if (!this.#acknowledged) await this.load();
    let at = this.#acknowledged!;
    if (at.runId && !this.#runIsThere && !(await this.#find(at.runId))) at = this.#startAgain();
    for (let startedAgain = false; ;) {
      const { records, end } = await readJournal(this.#journal, at.offset);
      if (end === at.offset) return;
      const group = takeGroup(records);
      try {
        if (group) await this.#sendGroup(group);
      } catch (error) {
        // The server may have lost its data, or somebody deleted the run: then everything is told to a new one, once.
        const lost = error instanceof MlflowError && at.runId !== undefined && !(await this.#find(at.runId));
        if (!lost || startedAgain) throw error;
        startedAgain = true;
        at = this.#startAgain();
        continue;
      }
      at.offset = group?.end ?? end;
      await writeAcknowledged(this.#journal, at);
    }
  }

  #startAgain(): Acknowledged {
    return (this.#acknowledged = { journalId: this.#acknowledged!.journalId, offset: 0 });
  }

  async #find(runId: string): Promise<boolean> {
    const run = await this.#client.getRun(runId);
    return (this.#runIsThere = run?.info.lifecycleStage === 'active');
  }

  async #sendGroup(group: Group): Promise<void> {
    if (group.type === 'open') return this.#open(group.record);
    const runId = this.#acknowledged!.runId;
    if (runId === undefined) return; // nothing can precede the first `open`, but a journal is a file that people can edit
    if (group.type === 'batch') return this.#logBatch(runId, group.batch);
    const { record } = group;
    switch (record.type) {
      case 'artifact':
        if (!existsSync(record.file)) return this.#refuse(`artifact ${record.path}: ${record.file} is gone`);
        return this.#orRefuse(`artifact ${record.path}`, () =>
          this.#client.logArtifact(runId, record.path, record.file),
        );
      case 'text':
        return this.#orRefuse(`artifact ${record.path}`, () =>
          this.#client.logText(runId, record.path, record.content),
        );
      case 'end':
        return this.#end(runId, record);
    }
  }

  /** Finds the run of the key, or creates it; either way it is RUNNING afterwards. */
  async #open(record: RunOpened): Promise<void> {
    const experimentId = await this.#experimentId(record.experiment);
    const run = (await this.#runsOf(experimentId, record.key))[0] ?? (await this.#create(experimentId, record));
    Object.assign(this.#acknowledged!, { runId: run.info.runId, experimentId });
    this.#runIsThere = true;
    if (run.info.status !== 'RUNNING') {
      await this.#client.updateRun(run.info.runId, { status: 'RUNNING' });
      for (const tag of [failureTag, noteTag]) if (tag in run.tags) await this.#client.deleteTag(run.info.runId, tag);
    }
    await this.#logBatch(run.info.runId, { tags: record.tags });
  }

  async #create(experimentId: string, { key, runName, timestampMs, tags }: RunOpened): Promise<Run> {
    const created = await this.#client
      .createRun({ experimentId, runName, startTime: timestampMs, tags: { ...tags, [runKeyTag]: key } })
      .catch(async (error: unknown) => {
        // Its answer was lost: the server may have done it.
        const [done] = await this.#runsOf(experimentId, key);
        if (done) return done;
        throw error;
      });
    // NOTE: a creation that timed out in here may have been done after all. Everybody settles on the first by time and id.
    const runs = await this.#runsOf(experimentId, key);
    const [settled = created] = runs;
    if (settled.info.runId !== created.info.runId) await this.#client.deleteRun(created.info.runId);
    return settled;
  }

  async #runsOf(experimentId: string, key: string): Promise<Run[]> {
    return this.#client.searchRuns({
      experimentIds: [experimentId],
      filter: `tags.\`${runKeyTag}\` = '${key}'`,
      orderBy: ['attributes.start_time ASC', 'attributes.run_id ASC'],
    });
  }

  async #experimentId(name: string): Promise<string> {
    const found = await this.#client.getExperimentByName(name);
    if (found?.lifecycleStage === 'deleted') {
      throw new MlflowError(`the experiment ${name} was deleted in MLflow`, {
        status: 400,
        endpoint: 'GET experiments/get-by-name',
        hint: `restore it (\`mlflow experiments restore --experiment-id ${found.experimentId}\`) or set exp_manager.name to another name`,
      });
    }
    if (found) return found.experimentId;
    try {
      return await this.#client.createExperiment(name, modelTraining);
    } catch (error) {
      const other = await this.#client.getExperimentByName(name);
      if (other) return other.experimentId;
      throw error;
    }
  }

  /** NOTE: one bad row makes MLflow refuse a whole batch; halving finds it, so that the others arrive. */
  async #logBatch(runId: string, batch: Batch): Promise<void> {
    const size = sizeOf(batch);
    if (size === 0) return;
    try {
      await this.#client.logBatch(runId, batch);
    } catch (error) {
      if (!isRefused(error)) throw error;
      if (!(await this.#find(runId))) throw error;
      if (size === 1) return this.#refuse(error.message);
      for (const half of halves(batch)) await this.#logBatch(runId, half);
    }
  }

  async #end(runId: string, { status, timestampMs, message }: RunEnded): Promise<void> {
    if (message !== undefined) await this.#logBatch(runId, { tags: { [failureTag]: message, [noteTag]: message } });
    await this.#client.updateRun(runId, { status, endTime: timestampMs });
  }

  async #orRefuse(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isRefused(error) && !(error instanceof MlflowAddressInvalid)) throw error;
      this.#refuse(`${what}: ${error.message}${error.hint ? ` (${error.hint})` : ''}`);
    }
  }

  #refuse(reason: string): void {
    this.#refusals++;
    if (this.#refusals <= 10) this.#warn(`not tracked: ${reason}`);
  }
}

/** Records that go in one request. */
type Group = { end: number } & (
  | { type: 'open'; record: RunOpened }
  | { type: 'batch'; batch: Batch }
  | { type: 'single'; record: Exclude<JournalRecord, { type: 'open' | 'params' | 'metrics' | 'tags' }> }
);

/** The first records, as many as fit in one request. */
function takeGroup(records: readonly PositionedRecord[]): Group | undefined {
  const first = records[0];
  if (!first) return undefined;
  const { record, end } = first;
  if (record.type === 'open') return { type: 'open', record, end };
  if (record.type === 'artifact' || record.type === 'text' || record.type === 'end') {
    return { type: 'single', record, end };
  }
  const metrics: Metric[] = [];
  const tags: Record<string, string> = {};
  let params: Record<string, string> | undefined;
  let upTo = 0;
  for (const { record, end } of records) {
    if (record.type === 'metrics') {
      for (const [key, value, step, timestampMs] of record.rows) {
        metrics.push({ key, value: Number(value), step, timestampMs });
      }
    } else if (record.type === 'tags') {
      Object.assign(tags, record.tags);
    } else if (record.type === 'params' && !params) {
      params = record.params; // once: a later value of the same param is for the server to refuse
    } else break;
    upTo = end;
    if (sizeOf({ metrics, params, tags }) >= batchLimits.entries) break;
  }
  return { type: 'batch', batch: { metrics, params, tags }, end: upTo };
}

const isRefused = (error: unknown): error is MlflowError => error instanceof MlflowError && error.status === 400;

const sizeOf = ({ metrics = [], params = {}, tags = {} }: Batch): number =>
  metrics.length + Object.keys(params).length + Object.keys(tags).length;

/** Two smaller batches that are the batch together: of one kind each, or the halves of what is of one kind. */
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
