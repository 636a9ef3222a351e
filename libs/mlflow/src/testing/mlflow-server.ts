import { nautilHome } from '@nautil/store';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A real MLflow server for tests, on a free port, with its data in a temporary folder that `remove` deletes. It can be
 * killed and started again on the same port and data.
 */
export class MlflowServer {
  readonly trackingUri: string;
  readonly folder = mkdtempSync(join(tmpdir(), 'nautil-mlflow-'));
  readonly #port: number;
  readonly #artifacts: 'proxied' | 'local';
  #process: ChildProcess | undefined;

  private constructor(port: number, artifacts: 'proxied' | 'local') {
    this.#port = port;
    this.#artifacts = artifacts;
    this.trackingUri = `http://127.0.0.1:${port}`;
  }

  /** Starts one and waits for it: 10 to 17 seconds on two idle cores. */
  static async start(o: { artifacts?: 'proxied' | 'local' } = {}): Promise<MlflowServer> {
    const server = new MlflowServer(await freePort(), o.artifacts ?? 'proxied');
    await server.restart();
    return server;
  }

  /** An address where nothing listens. */
  static async freeAddress(): Promise<string> {
    return `http://127.0.0.1:${await freePort()}`;
  }

  async restart(): Promise<void> {
    const log = await open(join(this.folder, 'server.log'), 'a');
    const artifacts = join(this.folder, 'artifacts');
    const where =
      this.#artifacts === 'proxied'
        ? ['--artifacts-destination', artifacts]
        : ['--no-serve-artifacts', '--default-artifact-root', artifacts];
    this.#process = spawn(
      join(nautilHome(), 'python/bin/mlflow'),
      ['server', '--host', '127.0.0.1', '--port', String(this.#port), '--workers', '1']
        .concat('--backend-store-uri', `sqlite:///${join(this.folder, 'mlflow.db')}`)
        .concat(where),
      {
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
        env: { ...process.env, MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false', MLFLOW_DISABLE_TELEMETRY: 'true' },
      },
    );
    await log.close();
    await this.#answering();
  }

  /** kill -9 of the whole process group: that of the parent alone leaves a child on the port. */
  async kill(): Promise<void> {
    const { pid, exitCode } = this.#process ?? {};
    if (pid === undefined || exitCode != null) return;
    process.kill(-pid, 'SIGKILL');
    while (await this.#answers()) await sleep(20);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  async #answering(): Promise<void> {
    const deadline = Date.now() + 120_000;
    while (!(await this.#answers())) {
      if (Date.now() > deadline || this.#process?.exitCode != null) {
        throw new Error(`the MLflow server did not start; see ${join(this.folder, 'server.log')}`);
      }
      await sleep(100);
    }
  }

  async #answers(): Promise<boolean> {
    return fetch(`${this.trackingUri}/health`, { signal: AbortSignal.timeout(2000) }).then(
      (answer) => answer.ok,
      () => false,
    );
  }
}

/** None of those that Linux gives out by itself: the server takes seconds to start, and others would have it by then. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_240, 32_768);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
