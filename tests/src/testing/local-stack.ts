import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { PortInUse, type ServerHandle, startMlflowServer, startTemporalServer } from '@nautil/stack';
import { packageRoot } from '@nautil/store/folders';
import { goldenPath } from '@nautil/testing';
import { programEnvironment } from './program-environment.js';

export interface LocalStackOptions {
  /** False: runs find no MLflow server, and their journals stay unsent. */
  mlflow: boolean;

  /** A namespace of the Temporal server beside `default`. */
  namespace?: string;
}

export interface WorkerOptions {
  /** Arguments of `nautil worker`. */
  args?: string[];
  env?: Record<string, string>;

  /** The worker's state folder; default: the stack's own, so that all workers share their files. */
  home?: string;
}

/** Labelled sentences; training the tiny BERT on them takes seconds. */
export const trainFile = goldenPath('nemo/traj_train.tsv');

/** Overrides for a run of the tiny BERT on `trainFile`. */
export const tinyRun = [
  'trainer.accelerator=cpu',
  `model.train_ds.file_path=${trainFile}`,
  `model.validation_ds.file_path=${trainFile}`,
  `model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`,
  'model.dataset.num_classes=null',
  'model.train_ds.batch_size=8',
  'nautil.checkpoint_every_n_steps=5',
  'model.dataset.use_cache=true',
  'exp_manager.exp_dir=${oc.env:NAUTIL_HOME}/nemo_experiments',
];

/** Real servers and real workers for one test file, in a folder that `stop` removes. */
export class LocalStack {
  readonly home: string;
  readonly client: Client;
  readonly temporalAddress: string;
  readonly mlflowUri: string;
  #servers: ServerHandle[];
  readonly #workers: ChildProcess[] = [];

  private constructor(home: string, client: Client, servers: ServerHandle[], mlflowUri: string) {
    this.home = home;
    this.client = client;
    this.#servers = servers;
    this.temporalAddress = servers[0]!.address;
    this.mlflowUri = mlflowUri;
  }

  static async start(o: LocalStackOptions): Promise<LocalStack> {
    const home = await mkdtemp(join(tmpdir(), 'nautil-stack-'));
    const servers = await Promise.all([
      startTemporalServer({ folder: join(home, 'temporal'), ...(o.namespace ? { namespace: o.namespace } : {}) }),
      ...(o.mlflow ? [startMlflowServer({ folder: join(home, 'mlflow') })] : []),
    ]);
    const client = new Client({ connection: await Connection.connect({ address: servers[0].address }) });
    // Nothing listens on port 9 (discard).
    return new LocalStack(home, client, servers, servers[1]?.address ?? 'http://127.0.0.1:9');
  }

  /** The servers' process ids. Each leads a process group, which ends with it. */
  serverPids(): { name: string; pid: number }[] {
    return this.#servers.map(({ name, pid }) => ({ name, pid }));
  }

  /** Ends a server with SIGKILL. */
  async kill(name: 'Temporal' | 'MLflow'): Promise<void> {
    const server = this.#servers.find((candidate) => candidate.name === name)!;
    server.kill();
    await server.stop();
  }

  /** Starts a killed server again, with the same database at the same address. */
  async restart(name: 'Temporal' | 'MLflow'): Promise<void> {
    const port = Number((name === 'Temporal' ? this.temporalAddress : this.mlflowUri).split(':').at(-1));
    const start = name === 'Temporal' ? startTemporalServer : startMlflowServer;
    await until(async () => {
      try {
        const started = await start({ folder: join(this.home, name.toLowerCase()), port });
        this.#servers = this.#servers.map((server) => (server.name === name ? started : server));
        return true;
      } catch (error) {
        // The sockets of a killed process close slightly after the process ends.
        if (error instanceof PortInUse) return false;
        throw error;
      }
    });
  }

  /** Resolves when the worker polls for tasks. */
  async startWorker({ args = [], env = {}, home = this.home }: WorkerOptions = {}): Promise<ChildProcess> {
    const worker = spawn(process.execPath, ['apps/cli/bin/nautil.mjs', 'worker', ...args], {
      cwd: packageRoot(),
      env: {
        ...process.env,
        ...programEnvironment(home),
        NAUTIL_TEMPORAL_ADDRESS: this.temporalAddress,
        MLFLOW_TRACKING_URI: this.mlflowUri,
        NAUTIL_HEARTBEAT_TIMEOUT_MS: '6000',
        NAUTIL_ENV_ALLOWED: 'NAUTIL_HOME',
        ...env,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#workers.push(worker);
    let output = '';
    await new Promise<void>((resolve, reject) => {
      worker.stderr.setEncoding('utf8').on('data', (text: string) => {
        output = `${output}${text}`.slice(-10_000);
        if (output.includes('worker ready')) resolve();
      });
      worker.once('exit', (code, signal) => reject(new Error(`the worker ended (${code ?? signal}): ${output}`)));
    });
    return worker;
  }

  async stop(): Promise<void> {
    for (const worker of this.#workers) await end(worker, 'SIGKILL');
    await this.client.connection.close();
    await Promise.all(this.#servers.map((server) => server.stop()));
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Sends a signal and waits until the process has ended; does nothing if it already has. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}

/** Polls until the condition holds; throws after `patienceMs`, by default two minutes. */
export async function until(condition: () => Promise<boolean> | boolean, patienceMs = 120_000): Promise<void> {
  const begun = Date.now();
  while (!(await condition())) {
    await sleep(100);
    if (Date.now() - begun > patienceMs)
      throw new Error(`the condition did not hold within ${patienceMs} ms: ${condition.toString()}`);
  }
}
