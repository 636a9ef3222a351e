// cspell:ignore runnin
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { type ServerHandle, startTemporalServer } from '@nautil/stack';
import { packageRoot } from '@nautil/store/folders';

// Rejections, and the input with which a resumed run starts. Neither needs a worker.

const home = mkdtempSync(join(tmpdir(), 'nautil-resume-'));
let server: ServerHandle;
let client: Client;
beforeAll(async () => {
  server = await startTemporalServer({ folder: join(home, 'temporal') });
  client = new Client({ connection: await Connection.connect({ address: server.address }) });
}, 60_000);
afterAll(async () => {
  await client.connection.close();
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

function resume(...args: string[]): Promise<{ exitCode: number; stderr: string }> {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const env = { ...process.env, NODE_OPTIONS: '', NAUTIL_HOME: home, NAUTIL_TEMPORAL_ADDRESS: server.address };
  return new Promise((done) =>
    execFile(process.execPath, [program, 'resume', ...args], { env }, (error, _stdout, stderr) =>
      done({ exitCode: error ? Number(error.code) : 0, stderr }),
    ),
  );
}

const overrides = ['trainer.max_epochs=1', 'model.optim.lr=1e-3'];

const started = { config: 'sst2', cwd: '/where/it/was/typed', overrides };

/** Starts a run on a queue without workers, and terminates it. Returns the id of its first execution. */
async function ended(workflowId: string, type = 'textClassification'): Promise<string> {
  const o = { workflowId, taskQueue: 'nobody', args: [started] };
  const handle = await client.workflow.start(type, o);
  await handle.terminate();
  return handle.firstExecutionRunId;
}

/** The input of the latest execution. */
async function inputOf(workflowId: string): Promise<unknown> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const [payload] = events![0]!.workflowExecutionStartedEventAttributes!.input!.payloads!;
  return JSON.parse(Buffer.from(payload!.data!).toString('utf8'));
}

test('a run continues under its key, also from a stage, and when it is resumed twice', async () => {
  const runKey = await ended('plain');
  expect(await resume('plain', '--from', 'evaluate', '--detach')).toMatchObject({ exitCode: 0 });
  expect(await inputOf('plain')).toEqual({ ...started, runKey, from: 'evaluate' });
  await client.workflow.getHandle('plain').terminate();
  expect(await resume('plain', '--detach')).toMatchObject({ exitCode: 0 });
  expect(await inputOf('plain')).toEqual({ ...started, runKey });
});

test('with overrides a new run of that name starts, with the overrides added', async () => {
  await ended('changed');
  expect(await resume('changed', 'model.optim.lr=1e-4', '--detach')).toMatchObject({ exitCode: 0 });
  expect(await inputOf('changed')).toEqual({ ...started, overrides: [...overrides, 'model.optim.lr=1e-4'] });
});

test('a sweep starts again with the same input', async () => {
  await ended('rates', 'sweep');
  expect(await resume('rates', '--detach')).toMatchObject({ exitCode: 0 });
  expect(await inputOf('rates')).toEqual(started);
});

test('impossible requests are rejected, with a hint', async () => {
  await client.workflow.start('textClassification', { workflowId: 'running', taskQueue: 'nobody' });
  await ended('swept', 'sweep');
  const rejections = [
    [['nothing'], 'there is no run or sweep nothing', '`npx nautil temporal workflow list` lists them'],
    [['runnin'], 'there is no run or sweep runnin', 'did you mean running?'],
    [['running', '--from', 'train'], 'running is still running', '`npx nautil cancel running`'],
    [['running', 'a=1'], 'running is still running', '`npx nautil cancel running`'],
    [['swept', '--from', 'train'], 'swept is a sweep', 'resume one of its trials'],
    [['swept', '--from', 'train', 'a=1'], 'cannot be combined', 'without --from'],
  ] as const;
  for (const [args, message, hint] of rejections) {
    const { exitCode, stderr } = await resume(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(stderr).not.toContain('    at ');
  }
}, 60_000);
