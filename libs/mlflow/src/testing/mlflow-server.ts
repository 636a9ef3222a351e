import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nautilHome } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';

/**
 * A real MLflow server for tests, on a free port, with its data in a temporary folder that `remove` deletes. It can be
 * killed and restarted with the same port and data.
 */
export class MlflowServer {
  readonly trackingUri: string;
  readonly folder = mkdtempSync(join(tmpdir(), 'nautil-mlflow-'));
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(port: number) {
    this.#port = port;
    this.trackingUri = `http://127.0.0.1:${port}`;
  }

  /** Starts a server and waits until it responds: 10 to 17 seconds on two idle cores. */
  static async start(): Promise<MlflowServer> {
    const server = new MlflowServer(await freePort());
    await server.restart();
    return server;
  }

  /** An address where nothing listens. */
  static async freeAddress(): Promise<string> {
    return `http://127.0.0.1:${await freePort()}`;
  }

  async restart(): Promise<void> {
    const log = await open(join(this.folder, 'server.log'), 'a');
    this.#process = spawn(
      join(nautilHome(), 'python/bin/python'),
      ['-m', 'mlflow', 'server', '--host', '127.0.0.1', '--port', String(this.#port), '--workers', '1']
        .concat('--backend-store-uri', `sqlite:///${join(this.folder, 'mlflow.db')}`)
        .concat('--artifacts-destination', join(this.folder, 'artifacts')),
      {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: { ...process.env, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false', MLFLOW_DISABLE_TELEMETRY: 'true' },
      },
    );
    await log.close();
    await this.#untilResponding();
  }

  /** Sends SIGKILL to the whole process group: killing the parent alone would leave a child on the port. */
  async kill(): Promise<void> {
    const { pid, exitCode } = this.#process ?? {};
    if (pid === undefined || exitCode != null) return;
    process.kill(-pid, 'SIGKILL');
    while (await this.#isResponding()) await sleep(20);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #untilResponding(): Promise<void> {
    const deadline = Date.now() + 120_000;
    while (!(await this.#isResponding())) {
      if (Date.now() > deadline || this.#process?.exitCode != null) {
        throw new Error(`the MLflow server did not start; see ${join(this.folder, 'server.log')}`);
      }
      await sleep(100);
    }
  }

  async #isResponding(): Promise<boolean> {
    return fetch(`${this.trackingUri}/health`, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      () => false,
    );
  }
}
