import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker, bundleWorkflowCode, type WorkflowBundle } from '@temporalio/worker';

const workflowsFolder = fileURLToPath(new URL('..', import.meta.url));

/** Where `history` writes and the replay test reads. */
export const historiesFolder = join(workflowsFolder, 'histories');

const temporal = process.env['NAUTIL_TEMPORAL'] ?? join(workflowsFolder, '..', '.nautil', 'python', 'bin', 'temporal');

/** One passage of the workflows' code, and what stands in its place. */
export interface Edit {
  file: string;
  find: string;
  replace: string;
}

/** The workflows as workers load them, or as they would be after edits. */
export const bundleWorkflows = (edits: Edit[] = []): Promise<WorkflowBundle> =>
  bundleWorkflowCode({
    workflowsPath: join(workflowsFolder, 'src', 'index.ts'),
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => {
      const rules = edits.map(({ file, ...edit }) => ({
        test: (path: string) => path === join(workflowsFolder, 'src', file),
        enforce: 'pre' as const,
        use: [{ loader: join(workflowsFolder, 'test', 'edit-loader.cjs'), options: edit }],
      }));
      return { ...config, module: { ...config.module, rules: [...(config.module?.rules ?? []), ...rules] } };
    },
  });

/** Activities by name; the workflow's types say what they take. */
export type Players = object;

/** A real Temporal server, a real worker with the real workflows, and activities that each test chooses. */
export class Orchestra {
  readonly #environment: TestWorkflowEnvironment;
  readonly #activityNames: string[];
  readonly #workers: { worker: Worker; working: Promise<void> }[] = [];
  readonly #players = new Map<string, Players>();

  private constructor(environment: TestWorkflowEnvironment, activityNames: string[]) {
    this.#environment = environment;
    this.#activityNames = activityNames;
  }

  /**
   * @param activityNames - all that the workflows may call
   * @param o.longHistory - events after which the server suggests to continue as new; 4,096 by default
   */
  static async assemble(activityNames: string[], o: { longHistory?: number } = {}): Promise<Orchestra> {
    Runtime.install({ logger: new DefaultLogger('ERROR'), workerHeartbeatInterval: null });
    const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
    const environment = await TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path: temporal },
        extraArgs: o.longHistory
          ? ['--dynamic-config-value', `limit.historyCount.suggestContinueAsNew=${o.longHistory}`]
          : [],
        searchAttributes: [
          keyword('NautilExperiment'),
          keyword('NautilModel'),
          keyword('NautilDataset'),
          defineSearchAttributeKey('NautilF1', SearchAttributeType.DOUBLE),
        ],
      },
    });
    const orchestra = new Orchestra(environment, activityNames);
    await orchestra.hire({ taskQueue: 'test', workflowBundle: await bundleWorkflows() });
    return orchestra;
  }

  get client(): Client {
    return this.#environment.client;
  }

  /** Adds a worker: without a bundle it takes activities alone. */
  async hire(o: { taskQueue: string; workflowBundle?: WorkflowBundle }): Promise<void> {
    const worker = await Worker.create({
      ...o,
      connection: this.#environment.nativeConnection,
      activities: Object.fromEntries(
        this.#activityNames.map((name) => [name, (input: unknown) => this.#playerOf()(name, input)]),
      ),
      maxHeartbeatThrottleInterval: 100,
      defaultHeartbeatThrottleInterval: 100,
    });
    this.#workers.push({ worker, working: worker.run() });
  }

  async dismiss(): Promise<void> {
    for (const { worker } of this.#workers) worker.shutdown();
    await Promise.all(this.#workers.map(({ working }) => working));
    await this.#environment.teardown();
  }

  /** Starts a workflow with activities of its own. @param o.type - the workflow's name; default `textClassification` */
  play(o: {
    type?: string;
    input?: unknown;
    activities: Players;
    workflowId?: string;
    taskQueue?: string;
  }): Promise<WorkflowHandle> {
    const workflowId = o.workflowId ?? randomUUID();
    this.#players.set(workflowId, o.activities);
    const args = 'input' in o ? [o.input] : [];
    return this.client.workflow.start(o.type ?? 'textClassification', {
      taskQueue: o.taskQueue ?? 'test',
      workflowId,
      args,
    });
  }

  /** Records a run for the replay test, when RECORD_HISTORIES is set. */
  async record(name: string, handle: WorkflowHandle): Promise<void> {
    if (!process.env['RECORD_HISTORIES']) return;
    const { historyToJSON } = await import('@temporalio/common/lib/proto-utils.js');
    const history = historyToJSON(await handle.fetchHistory());
    // Machine names and paths play no part in a replay.
    const anonymous = history
      .replaceAll(/"(identity|stackTrace)":\s*"(?:[^"\\]|\\.)*"/g, '"$1": ""')
      .replaceAll(/"\d+@[^"]+"/g, '"worker"');
    await mkdir(historiesFolder, { recursive: true });
    await writeFile(join(historiesFolder, `${name}.json`), `${anonymous}\n`);
  }

  /** Children of a workflow, whose ids begin with its own, are played by the same activities. */
  #playerOf(): (name: string, input: unknown) => unknown {
    const { workflowId } = Context.current().info.workflowExecution!;
    const players = this.#players.get(workflowId) ?? [...this.#players].find(([id]) => workflowId.startsWith(id))![1];
    return (name, input) => (players as Record<string, (input: unknown) => unknown>)[name]!(input);
  }
}
