import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTemporalServer } from '@nautil/stack';
import { packageRoot } from '@nautil/store/folders';
import { programEnvironment } from './program-environment.js';
import { type Certificates, makeCertificates, startCertificateProxy } from './secured-servers.js';

// Runs in a user and network namespace of its own, as `unshare -Urn` starts it. It builds a network of three machines: this one has Temporal's
// server, which others reach only through TLS with client certificates; one starts a run with the overrides in the arguments; another trains. Prints what
// happened as JSON.

/** A network namespace that is connected to this one, with its own processes and state folder. */
class Machine {
  readonly home = mkdtempSync(join(tmpdir(), 'nautil-machine-'));
  readonly address: string;

  /** This machine's address, as seen from that one. */
  readonly gateway: string;
  readonly #holder = spawn('unshare', ['-n', 'sleep', 'infinity'], { stdio: 'ignore' });

  readonly #index: number;

  constructor(index: number) {
    this.#index = index;
    this.gateway = `10.77.${index}.1`;
    this.address = `10.77.${index}.2`;
  }

  async start(): Promise<void> {
    await this.#hasOwnNetwork();
    const [outer, inner] = [`m${this.#index}`, `n${this.#index}`];
    ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', String(this.#holder.pid));
    ip('address', 'add', `${this.gateway}/24`, 'dev', outer);
    ip('link', 'set', outer, 'up');
    for (const args of [
      ['link', 'set', 'lo', 'up'],
      ['address', 'add', `${this.address}/24`, 'dev', inner],
      ['link', 'set', inner, 'up'],
      ['route', 'add', 'default', 'via', this.gateway],
    ])
      execFileSync('nsenter', [...this.#entered, 'ip', ...args]);
  }

  /** Starts `nautil ARGS` on the machine. */
  nautil(args: string[], env: Record<string, string>) {
    return spawn('nsenter', [...this.#entered, process.execPath, 'apps/cli/bin/nautil.mjs', ...args], {
      cwd: packageRoot(),
      env: { ...process.env, ...programEnvironment(this.home), MLFLOW_TRACKING_URI: 'http://127.0.0.1:9', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Whether something on this machine accepts a connection from that one. */
  connects(port: string): boolean {
    const program = `require('net').connect(${port}, '${this.gateway}').on('connect', () => process.exit(0)).on('error', () => process.exit(1))`;
    return spawnSync('nsenter', [...this.#entered, process.execPath, '-e', program]).status === 0;
  }

  /** Number of archives that runs on this machine have written. */
  archives(): number {
    const names = readdirSync(this.home, { recursive: true }).map(String);
    return names.filter((name) => /nemo_experiments.*\.nemo$/.test(name)).length;
  }

  async stop(): Promise<void> {
    await end(this.#holder);
    rmSync(this.home, { recursive: true, force: true });
  }

  /** `unshare` changes its namespace shortly after it has started. */
  async #hasOwnNetwork(): Promise<void> {
    const networkOf = (pid: string): string => execFileSync('readlink', [`/proc/${pid}/ns/net`]).toString();
    while (networkOf(String(this.#holder.pid)) === networkOf('self'))
      await new Promise((resolve) => setTimeout(resolve, 20));
  }

  get #entered(): string[] {
    return ['-t', String(this.#holder.pid), '-n', '--'];
  }
}

/** Kills a process, and waits until it has ended. */
async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  if (child.kill('SIGKILL')) await ended;
}

/** What a program has printed, and its exit code. */
async function outcomeOf(program: ReturnType<Machine['nautil']>): Promise<{ exitCode: number; output: string }> {
  let output = '';
  for (const stream of [program.stdout, program.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [exitCode] = (await once(program, 'close')) as [number];
  return { exitCode, output };
}

/** Whether a port of a machine accepts a connection of this one, once the program on that machine has printed a text. */
async function connectsFromHere(
  { address }: Machine,
  port: string,
  program: ReturnType<Machine['nautil']>,
  text: string,
): Promise<boolean> {
  let output = '';
  await new Promise<void>((resolve) => {
    for (const stream of [program.stdout, program.stderr])
      stream.on('data', (more: string) => {
        output += more;
        if (output.includes(text)) resolve();
      });
    program.once('exit', () => {
      resolve();
    });
  });
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: Number(port), timeout: 500 });
    const close = (outcome: boolean) => () => {
      socket.destroy();
      resolve(outcome);
    };
    socket.on('connect', close(true)).on('timeout', close(false)).on('error', close(false));
  });
}

const ip = (...args: string[]): void => void execFileSync('ip', args);

/** Variables of a client on a machine: the proxy's certificate is for localhost. */
const clientOn = ({ gateway }: Machine, port: string, certificates: Certificates): Record<string, string> => ({
  NAUTIL_TEMPORAL_ADDRESS: '',
  NAUTIL_ENV_ALLOWED: 'NAUTIL_HOME',
  TEMPORAL_ADDRESS: `${gateway}:${port}`,
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: certificates.caFile,
  TEMPORAL_TLS_SERVER_NAME: 'localhost',
  TEMPORAL_TLS_CLIENT_CERT_PATH: certificates.client.certFile,
  TEMPORAL_TLS_CLIENT_KEY_PATH: certificates.client.keyFile,
});

ip('link', 'set', 'lo', 'up');
writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'); // of this namespace: the machines reach one another
const folder = mkdtempSync(join(tmpdir(), 'nautil-two-machines-'));
const machines = [new Machine(1), new Machine(2)] as const;
const temporal = await startTemporalServer({ folder: join(folder, 'temporal') });
try {
  const certificates = await makeCertificates(folder);
  const proxy = await startCertificateProxy(temporal.address, certificates, 'h2', '0.0.0.0');
  const port = proxy.address.split(':')[1]!;
  for (const machine of machines) await machine.start();
  const [desk, trainer] = machines;

  const worker = trainer.nautil(['worker', '--task-queue', 'far'], clientOn(trainer, port, certificates));
  let workerOutput = '';
  await new Promise<void>((resolve, reject) => {
    worker.stderr.setEncoding('utf8').on('data', (text: string) => {
      workerOutput += text;
      if (workerOutput.includes('worker ready')) resolve();
    });
    worker.once('exit', () => {
      reject(new Error(workerOutput));
    });
  });

  const run = desk.nautil(
    ['run', '--task-queue', 'far', '--workflow-id', 'far', ...process.argv.slice(2)],
    clientOn(desk, port, certificates),
  );
  const started = {
    ...(await outcomeOf(run)),
    archives: { desk: desk.archives(), trainer: trainer.archives() },
    reachesTemporal: trainer.connects(temporal.address.split(':')[1]!),
    reachesProxy: trainer.connects(port),
  };
  await end(worker);

  // Both train one run, without Temporal.
  const members = machines.map(({ address }) => `${address}:5555`).join(',');
  const group = ['trainer.num_nodes=2', `nautil.group.members=[${members}]`, 'nautil.group.join_timeout_s=60'];
  const both = machines.map((machine, rank) =>
    machine.nautil(['train', ...process.argv.slice(2), ...group], {
      RANK: String(rank),
      NAUTIL_ENV_ALLOWED: 'NAUTIL_HOME',
    }),
  );
  // Whoever is not a member: this machine, which forwards the packets of the two.
  const outcomes = both.map(outcomeOf);
  const outsider = connectsFromHere(desk, '5555', both[0]!, 'step 1');
  const together = await Promise.all(outcomes);
  const result = {
    started,
    together: { members: together, archives: machines.map((machine) => machine.archives()), outsider: await outsider },
  };
  await proxy.close();
  process.stdout.write(JSON.stringify(result));
} finally {
  await temporal.stop();
  for (const machine of machines) await machine.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
