import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker, bundleWorkflowCode, type WorkflowBundle } from '@temporalio/worker';

const workflowsFolder = fileURLToPath(new URL('..', import.meta.url));

/** Where `history` writes and the replay test reads. */
export const historiesFolder = join(workflowsFolder, 'histories');

const temporal = process.env['NAUTIL_TEMPORAL'] ?? join(workflowsFolder, '..', '.nautil', 'python', 'bin', 'temporal');

/** The workflows as workers load them. */
export const bundleWorkflows = (): Promise<WorkflowBundle> =>
  bundleWorkflowCode({ workflowsPath: join(workflowsFolder, 'src', 'index.ts'), logger: new DefaultLogger('WARN') });

/** Activities by name; the workflow's types say what they take. */
export type Players = object;

/** A real Temporal server, a real worker with the real workflows, and activities that each test chooses. */
export class Orchestra {
  readonly #environment: TestWorkflowEnvironment;
  readonly #worker: Worker;
  readonly #working: Promise<void>;
  readonly #players: Map<string, Players>;

  private constructor(environment: TestWorkflowEnvironment, worker: Worker, players: Map<string, Players>) {
    this.#environment = environment;
    this.#worker = worker;
    this.#working = worker.run();
    this.#players = players;
  }

  /** @param activityNames - all that the workflows may call */
  static async assemble(activityNames: string[]): Promise<Orchestra> {
    Runtime.install({ logger: new DefaultLogger('ERROR'), workerHeartbeatInterval: null });
    const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
    const environment = await TestWorkflowEnvironment.createLocal({
      server: {
        executable: { type: 'existing-path', path: temporal },
        searchAttributes: [
          keyword('NautilExperiment'),
          keyword('NautilModel'),
          keyword('NautilDataset'),
          defineSearchAttributeKey('NautilF1', SearchAttributeType.DOUBLE),
        ],
      },
    });
    const players = new Map<string, Players>();
    const worker = await Worker.create({
      connection: environment.nativeConnection,
      taskQueue: 'test',
      workflowBundle: await bundleWorkflows(),
      activities: Object.fromEntries(
        activityNames.map((name) => [name, (input: unknown) => playerOf(players)(name, input)]),
      ),
      maxHeartbeatThrottleInterval: 100,
      defaultHeartbeatThrottleInterval: 100,
    });
    return new Orchestra(environment, worker, players);
  }

  async dismiss(): Promise<void> {
    this.#worker.shutdown();
    await this.#working;
    await this.#environment.teardown();
  }

  /** Starts a workflow with activities of its own. @param o.type - the workflow's name; default `textClassification` */
  play(o: { type?: string; input?: unknown; activities: Players }): Promise<WorkflowHandle> {
    const workflowId = randomUUID();
    this.#players.set(workflowId, o.activities);
    const args = 'input' in o ? [o.input] : [];
    return this.#environment.client.workflow.start(o.type ?? 'textClassification', {
      taskQueue: 'test',
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
}

/** Children of a workflow, whose ids begin with its own, are played by the same activities. */
const playerOf = (players: Map<string, Players>) => (name: string, input: unknown) => {
  const { workflowId } = Context.current().info.workflowExecution!;
  const found = [...players].find(([id]) => workflowId.startsWith(id))![1] as Record<
    string,
    (input: unknown) => unknown
  >;
  return found[name]!(input);
};
