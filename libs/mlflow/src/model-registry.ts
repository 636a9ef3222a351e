import type { ModelVersion, RegisteredModel } from './entities.js';
import { MlflowError } from './errors.js';
import { allPages, type WirePage } from './pages.js';
import type { RestConnection } from './rest-connection.js';
import {
  modelVersionFrom,
  pairs,
  registeredModelFrom,
  type WireModelVersion,
  type WireRegisteredModel,
} from './wire.js';

/** MLflow's registry of models, their versions and aliases, with the method names of mlflow-js. Errors as MlflowClient's. */
export class ModelRegistry {
  readonly #server: RestConnection;

  constructor(server: RestConnection) {
    this.#server = server;
  }

  /**
   * Makes a version of an artifact of a run, and the model when there is none yet. The same run and path again give the
   * version that was made first, so that a stage that is repeated registers nothing twice.
   *
   * @param o.path of the artifact inside the run
   */
  async registerModel(o: {
    name: string;
    runId: string;
    path: string;
    description?: string;
    tags?: Record<string, string>;
  }): Promise<ModelVersion> {
    try {
      await this.createRegisteredModel(o.name);
    } catch (error) {
      if (!(error instanceof MlflowError) || error.errorCode !== 'RESOURCE_ALREADY_EXISTS') throw error;
    }
    const source = `runs:/${o.runId}/${o.path}`;
    const versions = await this.searchModelVersions(`name=${quoted(o.name)}`);
    const made = versions.find((version) => version.runId === o.runId && version.tags[sourceTag] === source);
    return made ?? this.createModelVersion({ ...o, source, tags: { ...o.tags, [sourceTag]: source } });
  }

  async createRegisteredModel(
    name: string,
    o: { description?: string; tags?: Record<string, string> } = {},
  ): Promise<RegisteredModel> {
    const json = { name, description: o.description, tags: pairs(o.tags ?? {}) };
    return this.#model('POST', 'create', { json, idempotent: false });
  }

  async getRegisteredModel(name: string): Promise<RegisteredModel> {
    return this.#model('GET', 'get', { query: { name } });
  }

  async updateRegisteredModel(name: string, description: string): Promise<RegisteredModel> {
    return this.#model('PATCH', 'update', { json: { name, description } });
  }

  /** All models that match MLflow's filter language. */
  async searchRegisteredModels(filter?: string): Promise<RegisteredModel[]> {
    return allPages(undefined, async (page) => {
      const query = { filter, ...page };
      const found = await this.#server.call<{ registered_models?: WireRegisteredModel[] } & WirePage>(
        'GET',
        'registered-models/search',
        { query },
      );
      return { items: (found.registered_models ?? []).map(registeredModelFrom), next: found.next_page_token };
    });
  }

  /** With all its versions; their artifacts stay with the runs. */
  async deleteRegisteredModel(name: string): Promise<void> {
    await this.#server.call('DELETE', 'registered-models/delete', { json: { name } });
  }

  async setRegisteredModelTag(name: string, key: string, value: string): Promise<void> {
    await this.#server.call('POST', 'registered-models/set-tag', { json: { name, key, value } });
  }

  /** Points an alias, such as `champion`, at a version; away from another one when it had been there. */
  async setRegisteredModelAlias(name: string, alias: string, version: string): Promise<void> {
    await this.#server.call('POST', 'registered-models/alias', { json: { name, alias, version } });
  }

  async deleteRegisteredModelAlias(name: string, alias: string): Promise<void> {
    await this.#server.call('DELETE', 'registered-models/alias', { json: { name, alias } });
  }

  async getModelVersionByAlias(name: string, alias: string): Promise<ModelVersion> {
    return this.#version('GET', 'registered-models/alias', { query: { name, alias } });
  }

  /** Not idempotent; see {@link registerModel}. `source` is an address such as `runs:/<run id>/model.nemo`. */
  async createModelVersion(o: {
    name: string;
    source: string;
    runId?: string;
    description?: string;
    tags?: Record<string, string>;
  }): Promise<ModelVersion> {
    const json = {
      name: o.name,
      source: o.source,
      run_id: o.runId,
      description: o.description,
      tags: pairs(o.tags ?? {}),
    };
    return this.#version('POST', 'model-versions/create', { json, idempotent: false });
  }

  async getModelVersion(name: string, version: string): Promise<ModelVersion> {
    return this.#version('GET', 'model-versions/get', { query: { name, version } });
  }

  async updateModelVersion(name: string, version: string, description: string): Promise<ModelVersion> {
    return this.#version('PATCH', 'model-versions/update', { json: { name, version, description } });
  }

  /** All versions that match MLflow's filter language, such as `name='sentiment'`; the newest first. */
  async searchModelVersions(filter?: string): Promise<ModelVersion[]> {
    const all = await allPages(undefined, async (page) => {
      const query = { filter, ...page };
      const found = await this.#server.call<{ model_versions?: WireModelVersion[] } & WirePage>(
        'GET',
        'model-versions/search',
        { query },
      );
      return { items: (found.model_versions ?? []).map(modelVersionFrom), next: found.next_page_token };
    });
    return all.sort((a, b) => Number(b.version) - Number(a.version));
  }

  async setModelVersionTag(name: string, version: string, key: string, value: string): Promise<void> {
    await this.#server.call('POST', 'model-versions/set-tag', { json: { name, version, key, value } });
  }

  async deleteModelVersion(name: string, version: string): Promise<void> {
    await this.#server.call('DELETE', 'model-versions/delete', { json: { name, version } });
  }

  async #model(...[method, path, o]: Parameters<RestConnection['call']>): Promise<RegisteredModel> {
    const found = await this.#server.call<{ registered_model: WireRegisteredModel }>(
      method,
      `registered-models/${path}`,
      o,
    );
    return registeredModelFrom(found.registered_model);
  }

  async #version(...call: Parameters<RestConnection['call']>): Promise<ModelVersion> {
    const found = await this.#server.call<{ model_version: WireModelVersion }>(...call);
    return modelVersionFrom(found.model_version);
  }
}

/** The server resolves `runs:/…` and keeps only what it became. */
const sourceTag = 'nautil.source';

/** MLflow's filter language has two kinds of quotes and no escape. */
const quoted = (text: string): string => (text.includes("'") ? `"${text}"` : `'${text}'`);
