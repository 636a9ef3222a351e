import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { nautilHome, packageRoot } from '@nautil/store/folders';
import { freePort } from '@nautil/store/process';

// The likeliest mistakes with `up`, `status`, `down` and `doctor`, in the real program.

const home = mkdtempSync(join(tmpdir(), 'nautil-up-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Ended {
  exitCode: number;
  stdout: string;
  stderr: string;
}

async function nautil(...args: string[]): Promise<Ended> {
  const ports = { NAUTIL_TEMPORAL_PORT: await freePort(), NAUTIL_TEMPORAL_UI_PORT: await freePort() };
  const env = {
    ...process.env,
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, String(port)])),
    NODE_OPTIONS: '',
    NAUTIL_HOME: home,
    NAUTIL_MLFLOW_PORT: String(await freePort()),
    NAUTIL_TEMPORAL_ADDRESS: '',
    MLFLOW_TRACKING_URI: '',
  };
  return new Promise((done) =>
    execFile(
      process.execPath,
      [join(packageRoot(), 'apps/cli/bin/nautil.mjs'), ...args],
      { env },
      (error, stdout, stderr) => done({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    ),
  );
}

test('up without a set-up fails with a hint to run it, without a stack', async () => {
  const { exitCode, stderr } = await nautil('up');
  expect(exitCode).toBe(4);
  expect(stderr).toMatch(/is missing\n {2}run `npx nautil setup`\n$/);
});

test('doctor without a set-up lists everything that is missing, each with a remedy', async () => {
  const { exitCode, stdout } = await nautil('doctor', '--json');
  expect(exitCode).toBe(4);
  const findings = JSON.parse(stdout) as { name: string; state: string; remedy?: string }[];
  const problems = findings.filter(({ state }) => state === 'problem');
  expect(problems.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['Python environment', 'Temporal command line', 'default weights']),
  );
  for (const { remedy } of problems) expect(remedy).toBeTruthy();
});

test('up with a port that is in use names the process that uses it, and the option for another port', async () => {
  symlinkSync(join(nautilHome(), 'python'), join(home, 'python'));
  const server = createServer((socket) => socket.destroy());
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  );
  try {
    const { exitCode, stderr } = await nautil('up', '--mlflow-port', String(port));
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(
      new RegExp(`port ${port} on 127.0.0.1, which MLflow's server needs, is in use by process ${process.pid}`),
    );
    expect(stderr).toContain('--mlflow-port');
    expect(stderr).not.toContain('    at ');
    const doctor = await nautil('doctor', '--mlflow-port', String(port));
    expect(doctor.stdout).toMatch(
      new RegExp(`port of MLflow: http://127.0.0.1:${port} is used by process ${process.pid}`),
    );
  } finally {
    server.close();
  }
});

test('status and down report that nothing is running', async () => {
  const { stdout, exitCode } = await nautil('status', '--json');
  expect((JSON.parse(stdout) as { state: string }[]).map(({ state }) => state)).toEqual([
    'stopped',
    'stopped',
    'stopped',
  ]);
  expect(exitCode).toBe(0);
  expect(await nautil('down')).toMatchObject({ exitCode: 0, stderr: 'nothing that Nautil started was running\n' });
});

test('an invalid port is rejected', async () => {
  const { exitCode, stderr } = await nautil('up', '--temporal-port', '70000');
  expect(exitCode).toBe(2);
  expect(stderr).toContain('1 to 65535');
});
