import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkerOptions,
  type WorkflowBundle,
} from '@temporalio/worker';

const workflowsFolder = fileURLToPath(new URL('..', import.meta.url));

/** Where `recordHistory` writes and the replay test reads. */
export const historiesFolder = join(workflowsFolder, 'histories');

const temporal = process.env['NAUTIL_TEMPORAL'] ?? join(workflowsFolder, '..', '.nautil', 'python', 'bin', 'temporal');

/** Replaces one passage of a file in `src`, as a programmer might change it. */
interface Edit {
  file: string;
  find: string;
  replace: string;
}

export interface BundleOptions {
  edits?: Edit[];

  /** Modules of `src` by file name, each with the path of a module that takes its place. */
  replacements?: Record<string, string>;

  /** With the interceptors that a worker loads when it exports traces. */
  isTraced?: boolean;
}

/** Bundles the workflows as workers load them, or with changes. */
export const bundleWorkflows = ({
  edits = [],
  replacements = {},
  isTraced = false,
}: BundleOptions = {}): Promise<WorkflowBundle> =>
  bundleWorkflowCode({
    workflowsPath: join(workflowsFolder, 'src', 'index.ts'),
    payloadConverterPath: join(workflowsFolder, 'src', 'payload-converter.ts'),
    workflowInterceptorModules: isTraced ? [join(workflowsFolder, 'src', 'tracing.ts')] : [],
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => {
      const rules = edits.map(({ file, ...edit }) => ({
        test: (path: string) => path === join(workflowsFolder, 'src', file),
        enforce: 'pre' as const,
        use: [{ loader: join(workflowsFolder, 'test', 'edit-loader.cjs'), options: edit }],
      }));
      const alias = Object.fromEntries(
        Object.entries(replacements).map(([file, path]) => [join(workflowsFolder, 'src', file), path]),
      );
      return {
        ...config,
        resolve: { ...config.resolve, alias: Object.assign({}, config.resolve?.alias, alias) },
        module: { ...config.module, rules: [...(config.module?.rules ?? []), ...rules] },
      };
    },
  });

/** Activity functions by type name; the types of the workflows state what each of them takes. */
type Activities = object;

/** A real Temporal server and real workers that run the real workflows. Each test supplies the activities. */
export class TestStack {
  readonly #environment: TestWorkflowEnvironment;
  readonly #activityNames: string[];
  readonly #workers: { worker: Worker; running: Promise<void> }[] = [];
  readonly #activities = new Map<string, Activities>();

  private constructor(environment: TestWorkflowEnvironment, activityNames: string[]) {
    this.#environment = environment;
    this.#activityNames = activityNames;
  }

  /**
   * Starts the server, and one worker on the task queue `test`.
   *
   * @param activityNames - the types of all activities that the workflows may call
   * @param o.longHistory - number of events after which the server suggests to continue as new; 4,096 by default
   */
  static async start(activityNames: string[], o: { longHistory?: number } = {}): Promise<TestStack> {
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
    const stack = new TestStack(environment, activityNames);
    await stack.startWorker({ taskQueue: 'test', workflowBundle: await bundleWorkflows() });
    return stack;
  }

  get client(): Client {
    return this.#environment.client;
  }

  /** Starts another worker; without a bundle it runs activities only. */
  async startWorker(o: Pick<WorkerOptions, 'taskQueue' | 'workflowBundle' | 'sinks'>): Promise<void> {
    const worker = await Worker.create({
      ...o,
      connection: this.#environment.nativeConnection,
      activities: Object.fromEntries(
        this.#activityNames.map((name) => [name, (input: unknown) => this.#callActivity(name, input)]),
      ),
      maxHeartbeatThrottleInterval: 100,
      defaultHeartbeatThrottleInterval: 100,
    });
    this.#workers.push({ worker, running: worker.run() });
  }

  async stop(): Promise<void> {
    for (const { worker } of this.#workers) worker.shutdown();
    await Promise.all(this.#workers.map(({ running }) => running));
    await this.#environment.teardown();
  }

  /** Starts a workflow with its own activities. @param o.type - the workflow type; default `textClassification` */
  startWorkflow(o: {
    type?: string;
    input?: unknown;
    activities: Activities;
    workflowId?: string;
    taskQueue?: string;
  }): Promise<WorkflowHandle> {
    const workflowId = o.workflowId ?? randomUUID();
    this.#activities.set(workflowId, o.activities);
    const args = 'input' in o ? [o.input] : [];
    return this.client.workflow.start(o.type ?? 'textClassification', {
      taskQueue: o.taskQueue ?? 'test',
      workflowId,
      args,
    });
  }

  /** Records a run for the replay test when RECORD_HISTORIES is set. */
  async recordHistory(name: string, handle: WorkflowHandle): Promise<void> {
    if (!process.env['RECORD_HISTORIES']) return;
    const { historyToJSON } = await import('@temporalio/common/lib/proto-utils.js');
    const history = historyToJSON(await handle.fetchHistory());
    // Machine names and paths are irrelevant to a replay.
    const anonymous = history
      .replaceAll(/"(identity|stackTrace)":\s*"(?:[^"\\]|\\.)*"/g, '"$1": ""')
      .replaceAll(/"\d+@[^"]+"/g, '"worker"');
    await mkdir(historiesFolder, { recursive: true });
    await writeFile(join(historiesFolder, `${name}.json`), `${anonymous}\n`);
  }

  /** Child workflows, whose ids begin with that of their parent, use the activities of the parent. */
  #callActivity(name: string, input: unknown): unknown {
    const { workflowId } = Context.current().info.workflowExecution!;
    const activities =
      this.#activities.get(workflowId) ?? [...this.#activities].find(([id]) => workflowId.startsWith(id))![1];
    return (activities as Record<string, (input: unknown) => unknown>)[name]!(input);
  }
}
