import { writeFileAtomic } from '@nautil/store';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { artifactPlace, type ArtifactPlace } from './artifact-place.js';
import type { Artifact, Experiment, Metric, Run, RunStatus } from './entities.js';
import { MlflowError } from './errors.js';
import { ModelRegistry } from './model-registry.js';
import { allPages, type WirePage } from './pages.js';
import { RestConnection, type ConnectionOptions } from './rest-connection.js';
import {
  artifactFrom,
  experimentFrom,
  metricFrom,
  pairs,
  runFrom,
  wireMetric,
  type WireArtifact,
  type WireExperiment,
  type WireMetric,
  type WireRun,
} from './wire.js';

/** What can be logged together. */
export interface Batch {
  metrics?: readonly Metric[];
  params?: Readonly<Record<string, string>> | undefined;
  tags?: Readonly<Record<string, string>>;
}

/** The server's limits on one batch. */
export const batchLimits = { metrics: 1000, params: 100, tags: 100, entries: 1000 } as const;

/**
 * MLflow's tracking API, with the method names of mlflow-js. Every method throws MlflowError when the server refuses, and
 * MlflowUnavailable when the same call may succeed later; whatever can be sent twice without harm has been retried by then.
 *
 * @example
 * const client = new MlflowClient({ trackingUri: 'http://127.0.0.1:5000' });
 * const experimentId = await client.createExperiment('TextClassification');
 * const { info } = await client.createRun({ experimentId, runName: 'first' });
 * await client.logBatch(info.runId, { params: { lr: '1e-4' } });
 * await client.updateRun(info.runId, { status: 'FINISHED', endTime: Date.now() });
 */
export class MlflowClient {
  readonly registry: ModelRegistry;
  readonly #options: ConnectionOptions;
  readonly #server: RestConnection;
  readonly #artifactUris = new Map<string, string>();

  constructor(o: ConnectionOptions = {}) {
    this.#options = o;
    this.#server = new RestConnection(o);
    this.registry = new ModelRegistry(this.#server);
  }

  get trackingUri(): string {
    return this.#server.trackingUri;
  }

  /** A client of the same server whose requests end with a signal. */
  until(signal: AbortSignal): MlflowClient {
    return new MlflowClient({ ...this.#options, signal });
  }

  /** Its id. A name in use, also by a deleted experiment, is refused: RESOURCE_ALREADY_EXISTS. */
  async createExperiment(name: string, tags: Record<string, string> = {}): Promise<string> {
    const json = { name, tags: pairs(tags) };
    const created = await this.#server.call<{ experiment_id: string }>('POST', 'experiments/create', {
      json,
      idempotent: false,
    });
    return created.experiment_id;
  }

  async getExperiment(experimentId: string): Promise<Experiment> {
    const query = { experiment_id: experimentId };
    const found = await this.#server.call<{ experiment: WireExperiment }>('GET', 'experiments/get', { query });
    return experimentFrom(found.experiment);
  }

  /** Undefined when no experiment has the name. A deleted one is found, too. */
  async getExperimentByName(name: string): Promise<Experiment | undefined> {
    const query = { experiment_name: name };
    return unlessMissing(async () => {
      const found = await this.#server.call<{ experiment: WireExperiment }>('GET', 'experiments/get-by-name', {
        query,
      });
      return experimentFrom(found.experiment);
    });
  }

  async searchExperiments(o: { filter?: string; orderBy?: string[]; limit?: number } = {}): Promise<Experiment[]> {
    return allPages(o.limit, async (page) => {
      const json = { filter: o.filter, order_by: o.orderBy, ...page };
      const found = await this.#server.call<{ experiments?: WireExperiment[] } & WirePage>(
        'POST',
        'experiments/search',
        {
          json,
        },
      );
      return { items: (found.experiments ?? []).map(experimentFrom), next: found.next_page_token };
    });
  }

  async deleteExperiment(experimentId: string): Promise<void> {
    await this.#server.call('POST', 'experiments/delete', { json: { experiment_id: experimentId } });
  }

  async restoreExperiment(experimentId: string): Promise<void> {
    await this.#server.call('POST', 'experiments/restore', { json: { experiment_id: experimentId } });
  }

  /**
   * A new run, RUNNING. Not idempotent: after MlflowUnavailable it may exist, so find it by a tag before calling again.
   */
  async createRun(o: {
    experimentId: string;
    runName?: string;

    /** Milliseconds since the epoch; default now. */
    startTime?: number;
    tags?: Record<string, string>;
  }): Promise<Run> {
    const json = {
      experiment_id: o.experimentId,
      run_name: o.runName,
      start_time: o.startTime ?? Date.now(),
      tags: pairs(o.tags ?? {}),
    };
    const created = await this.#server.call<{ run: WireRun }>('POST', 'runs/create', { json, idempotent: false });
    return runFrom(created.run);
  }

  /** Undefined when there is no such run. A deleted one is found, its lifecycleStage tells. */
  async getRun(runId: string): Promise<Run | undefined> {
    return unlessMissing(async () => {
      const found = await this.#server.call<{ run: WireRun }>('GET', 'runs/get', { query: { run_id: runId } });
      return runFrom(found.run);
    });
  }

  /** Active runs that match MLflow's filter language, all pages of them up to `limit`. */
  async searchRuns(o: {
    experimentIds: string[];
    filter?: string;
    orderBy?: string[];
    limit?: number;
  }): Promise<Run[]> {
    return allPages(o.limit, async (page) => {
      const json = { experiment_ids: o.experimentIds, filter: o.filter, order_by: o.orderBy, ...page };
      const found = await this.#server.call<{ runs?: WireRun[] } & WirePage>('POST', 'runs/search', { json });
      return { items: (found.runs ?? []).map(runFrom), next: found.next_page_token };
    });
  }

  async updateRun(runId: string, o: { status?: RunStatus; endTime?: number; runName?: string }): Promise<void> {
    const json = { run_id: runId, status: o.status, end_time: o.endTime, run_name: o.runName };
    await this.#server.call('POST', 'runs/update', { json });
  }

  async deleteRun(runId: string): Promise<void> {
    await this.#server.call('POST', 'runs/delete', { json: { run_id: runId } });
  }

  async restoreRun(runId: string): Promise<void> {
    await this.#server.call('POST', 'runs/restore', { json: { run_id: runId } });
  }

  async setTag(runId: string, key: string, value: string): Promise<void> {
    await this.#server.call('POST', 'runs/set-tag', { json: { run_id: runId, key, value } });
  }

  /** Nothing happens when the run has no such tag. */
  async deleteTag(runId: string, key: string): Promise<void> {
    await unlessMissing(() => this.#server.call('POST', 'runs/delete-tag', { json: { run_id: runId, key } }));
  }

  /** Params are write-once: the same value again is accepted, another one refused. */
  async logParam(runId: string, key: string, value: string): Promise<void> {
    await this.logBatch(runId, { params: { [key]: value } });
  }

  /** The identical row again, timestamp included, leaves one row. */
  async logMetric(runId: string, metric: Metric): Promise<void> {
    await this.logBatch(runId, { metrics: [metric] });
  }

  /** Any number of each, in as few requests as the server's limits allow. */
  async logBatch(runId: string, batch: Batch): Promise<void> {
    const params = pairs(batch.params ?? {});
    const tags = pairs(batch.tags ?? {});
    const metrics = (batch.metrics ?? []).map(wireMetric);
    const take = { params: 0, tags: 0, metrics: 0 };
    do {
      const json = {
        run_id: runId,
        params: params.slice(take.params, (take.params += batchLimits.params)),
        tags: tags.slice(take.tags, (take.tags += batchLimits.tags)),
        metrics: [] as WireMetric[],
      };
      const room = batchLimits.entries - json.params.length - json.tags.length;
      json.metrics = metrics.slice(take.metrics, (take.metrics += room));
      await this.#server.call('POST', 'runs/log-batch', { json });
    } while (take.params < params.length || take.tags < tags.length || take.metrics < metrics.length);
  }

  /** Every row of a metric, all pages, by time and step. */
  async getMetricHistory(runId: string, key: string): Promise<Metric[]> {
    return allPages(undefined, async (page) => {
      const query = { run_id: runId, metric_key: key, ...page };
      const found = await this.#server.call<{ metrics?: WireMetric[] } & WirePage>('GET', 'metrics/get-history', {
        query,
      });
      return { items: (found.metrics ?? []).map(metricFrom), next: found.next_page_token };
    });
  }

  /** Stores a local file at `path` among the run's artifacts, over what is there. Streamed: the size does not matter. */
  async logArtifact(runId: string, path: string, file: string): Promise<void> {
    const place = await this.#artifactPlace(runId, path);
    if (place.through === 'server') {
      await this.#server.send('PUT', place.path, { file });
    } else {
      await mkdir(dirname(place.path), { recursive: true });
      await copyFile(file, place.path);
    }
  }

  /** Stores a text at `path` among the run's artifacts, over what is there. */
  async logText(runId: string, path: string, text: string): Promise<void> {
    const place = await this.#artifactPlace(runId, path);
    if (place.through === 'server') {
      await this.#server.send('PUT', place.path, { text });
    } else {
      await mkdir(dirname(place.path), { recursive: true });
      await writeFile(place.path, text);
    }
  }

  /** What lies in a folder of the run's artifacts, by default the uppermost; not what lies below it. */
  async listArtifacts(runId: string, folder?: string): Promise<Artifact[]> {
    return allPages(undefined, async ({ page_token }) => {
      const query = { run_id: runId, path: folder, page_token };
      const found = await this.#server.call<{ files?: WireArtifact[] } & WirePage>('GET', 'artifacts/list', { query });
      return { items: (found.files ?? []).map(artifactFrom), next: found.next_page_token };
    });
  }

  /** Writes one artifact to a local file, whole or not at all. */
  async downloadArtifact(runId: string, path: string, to: string): Promise<void> {
    const place = await this.#artifactPlace(runId, path);
    if (place.through === 'folder') return writeFileAtomic(to, createReadStream(place.path));
    const { body } = await this.#server.open(place.path);
    await writeFileAtomic(to, body ? (Readable.fromWeb(body) as AsyncIterable<Uint8Array>) : '');
  }

  async #artifactPlace(runId: string, path: string): Promise<ArtifactPlace> {
    const known = this.#artifactUris.get(runId);
    const artifactUri = known ?? (await this.#artifactUri(runId));
    this.#artifactUris.set(runId, artifactUri);
    return artifactPlace(artifactUri, path, this.trackingUri);
  }

  async #artifactUri(runId: string): Promise<string> {
    const found = await this.#server.call<{ run: WireRun }>('GET', 'runs/get', { query: { run_id: runId } });
    return found.run.info.artifact_uri;
  }
}

async function unlessMissing<T>(find: () => Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof MlflowError && error.errorCode === 'RESOURCE_DOES_NOT_EXIST') return undefined;
    throw error;
  }
}
