import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { TrainerMessageInvalid } from './errors.js';
import { runTrainer } from './trainer-process.js';
import type { TrainerTask } from './trainer-task.js';

// A worker and a trainer process of different versions, as after an update while the worker runs.

const folder = mkdtempSync(join(tmpdir(), 'nautil-messages-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const task = { do: 'evaluate', job: {} } as TrainerTask;

test.each([
  [{ type: 'progress', event: { type: 'step', step: '1' } }, "value/event must have required property 'epoch'"],
  [{ type: 'progressed', event: {} }, 'value/type is unknown: "progressed"'],
  [{ type: 'done', result: { rows: [] }, waits: true }, "value must have required property 'answers'"],
])('a worker that receives %j fails the attempt and ends the process', async (message, problem) => {
  const preloaded = join(folder, `${message.type}.mjs`);
  writeFileSync(
    preloaded,
    `setInterval(() => process.send(${JSON.stringify(message)}), 50); await new Promise(() => {});`,
  );
  const env = { NODE_OPTIONS: `--import=${pathToFileURL(preloaded).href}` };
  let pid = -1;
  const error: unknown = await runTrainer({ task, env, onStarted: (running) => (pid = running.pid) }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TrainerMessageInvalid);
  expect(error).toMatchObject({
    kind: 'environment',
    retryable: true,
    hint: expect.stringContaining('restart the worker'),
  });
  expect((error as Error).message).toContain(`is invalid: ${problem}`);
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('a trainer process that stops sending heartbeats is killed, and its attempt fails', async () => {
  const preloaded = join(folder, 'frozen.mjs');
  writeFileSync(
    preloaded,
    `process.send({ type: 'ready' }); setInterval(() => {}, 1000); await new Promise(() => {});`,
  );
  const env = { NODE_OPTIONS: `--import=${pathToFileURL(preloaded).href}` };
  let pid = -1;
  const running = runTrainer({
    task,
    env,
    silenceTimeoutMs: 1500,
    onStarted: (started) => {
      ({ pid } = started);
      process.kill(pid, 'SIGSTOP'); // such a process ignores every other signal
    },
  });
  await expect(running).rejects.toMatchObject({
    name: 'TrainerCrashed',
    retryable: true,
    message: expect.stringContaining('it sent no heartbeat for 2 s, and was killed'),
  });
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test.each([
  [{ type: 'lease' }, 'the message `lease` came without its socket'],
  [{ type: 'halt' }, 'a message to the trainer process is invalid: value/type is unknown: "halt"'],
  [
    { type: 'run', task: { do: 'train', job: {} } },
    "the task of the trainer process is invalid: value/job must have required property 'config'",
  ],
])('a trainer process that receives %j reports the failure and exits', async (message, problem) => {
  const child = fork(fileURLToPath(new URL('./trainer-child.mjs', import.meta.url)), {
    env: { ...process.env, NODE_OPTIONS: '' },
    serialization: 'json',
  });
  const received: unknown[] = [];
  child.on('message', (one) => received.push(one));
  await firstMessage(child);
  const exited = once(child, 'exit');
  child.send(message);
  expect(await exited).toEqual([1, null]);
  expect(received).toContainEqual({
    type: 'failed',
    error: expect.objectContaining({ name: 'TrainerMessageInvalid', message: problem, retryable: true }),
  });
});

const firstMessage = (child: ChildProcess): Promise<unknown> => once(child, 'message');
