import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import {
  defaultTaskQueue,
  isJsonObject,
  type Progress,
  progressQuery,
  type TextClassificationResult,
} from '@nautil/contracts';
import { getRun, MlflowClient } from '@nautil/mlflow';
import { LocalStack, tinyRun } from './testing/local-stack.js';
import { filesWith, historyOf } from './testing/stored-texts.js';

// A worker whose environment holds secrets, with real servers. A run may use those that the worker allows, and stores none of them.

const marker = 'SecretMarker4711';
const token = 'TokenMarker4711';
let stack: LocalStack;
let workerOutput = '';

beforeAll(async () => {
  stack = await LocalStack.start({ mlflow: true });
  const worker = await stack.startWorker({
    env: {
      NAUTIL_ENV_ALLOWED: 'NAUTIL_HOME, ALLOWED_TEXT,ALLOWED_FOLDER, ALLOWED_NUMBER',
      ALLOWED_TEXT: `text ${marker}`,
      ALLOWED_FOLDER: `folder-${marker}`,
      ALLOWED_NUMBER: '0.00471147114711',
      FORBIDDEN: `forbidden ${marker}`,
      MLFLOW_TRACKING_TOKEN: token,
    },
  });
  worker.stderr?.on('data', (text: string) => (workerOutput += text));
}, 240_000);
afterAll(() => stack.stop());

const start = (workflowId: string, overrides: string[], input: object = {}) =>
  stack.client.workflow.start('textClassification', {
    workflowId,
    taskQueue: defaultTaskQueue,
    args: [{ cwd: stack.home, overrides: [...tinyRun, 'model.nemo_path=null', ...overrides], ...input }],
  });

const historyOfRun = (workflowId: string): Promise<string> => historyOf(stack.client.workflow.getHandle(workflowId));

async function failureOf(workflowId: string, overrides: string[]): Promise<ApplicationFailure> {
  const handle = await start(workflowId, overrides);
  const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(WorkflowFailedError);
  return (error as WorkflowFailedError).cause as ApplicationFailure;
}

describe('a run that uses values of the environment', () => {
  let result: TextClassificationResult;
  let progress: Progress;

  beforeAll(async () => {
    const handle = await start('secrets', [
      'trainer.max_epochs=1',
      'model.infer_samples=["${oc.env:ALLOWED_TEXT}", "a film and ${oc.env:ALLOWED_TEXT}"]',
      'nautil.mlflow.experiment="of ${model.infer_samples.0}"',
      'exp_manager.explicit_log_dir="${oc.env:NAUTIL_HOME}/logs of ${oc.env:ALLOWED_FOLDER}"',
      'model.optim.weight_decay="${oc.decode:${oc.env:ALLOWED_NUMBER}}"',
    ]);
    result = (await handle.result()) as TextClassificationResult;
    progress = await handle.query<Progress>(progressQuery);
  }, 240_000);

  test('trains with them, and logs in the folder that they name', () => {
    const log = readFileSync(
      join(stack.home, `logs of folder-${marker}`, 'nemo_log_globalrank-0_localrank-0.txt'),
      'utf8',
    );
    expect(log).toContain('Query : a film and ${oc.env:ALLOWED_TEXT}');
    expect(log).toContain('Experiments will be logged at');
    expect(log).toContain('weight_decay: ${oc.decode:${oc.env:ALLOWED_NUMBER}}');
  });

  test('stores references in place of them, in every file and in the history', async () => {
    expect(filesWith(marker, stack.home)).toEqual([]);
    expect(filesWith('0.00471147', stack.home)).toEqual([]);
    expect(await historyOfRun('secrets')).not.toContain(marker);
    expect(JSON.stringify([result, progress])).not.toContain(marker);
    expect(workerOutput).not.toContain(marker);
    // The search finds what is stored.
    expect(filesWith('${oc.env:ALLOWED_TEXT}', stack.home).length).toBeGreaterThan(4);
    expect(filesWith('ALLOWED_NUMBER', stack.home).length).toBeGreaterThan(4);
  });

  test('has references in its parameters, its experiment and its answers in MLflow', async () => {
    const run = await getRun(new MlflowClient({ trackingUri: stack.mlflowUri }), result.mlflowRunId ?? '');
    expect(run?.params['model.optim.weight_decay']).toBe('${oc.decode:${oc.env:ALLOWED_NUMBER}}');
    expect(run?.params['nautil.mlflow.experiment']).toBe('of ${oc.env:ALLOWED_TEXT}');
    expect(JSON.stringify(run)).not.toContain(marker);
    const found: unknown = await (
      await fetch(`${stack.mlflowUri}/api/2.0/mlflow/experiments/search?max_results=100`)
    ).json();
    expect(JSON.stringify(found)).not.toContain(marker);
    expect(JSON.stringify(found)).toContain('of ${oc.env:ALLOWED_TEXT}');
  });
});

test.each(['FORBIDDEN', 'MLFLOW_TRACKING_TOKEN', 'PATH'])(
  'a variable that the worker does not allow is not read: %s',
  async (name) => {
    const failure = await failureOf(`forbidden-${name}`, [`exp_manager.name=\${oc.env:${name}}`]);
    expect(failure).toMatchObject({ type: 'ConfigError', nonRetryable: true });
    expect(failure.message).toContain(`this worker does not read \${oc.env:${name}} for a run`);
    expect(failure.message).toContain(`NAUTIL_ENV_ALLOWED=${name}`);
    expect(await historyOfRun(`forbidden-${name}`)).not.toMatch(new RegExp(`${marker}|${token}`));
  },
);

describe('a run that a stranger started', () => {
  let server: Server;
  let address: string;
  const received: string[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      received.push(JSON.stringify([request.url, request.rawHeaders]));
      request.resume();
      response.end('{}');
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('is tracked at a server that it names, without the credentials of the worker, with a note', async () => {
    const handle = await start('elsewhere', ['trainer.max_steps=1', `nautil.mlflow.tracking_uri=${address}`]);
    await handle.result();
    const { notes } = await handle.query<Progress>(progressQuery);
    expect(notes).toContainEqual(expect.stringContaining(`${address} without the MLflow credentials of this worker`));
    expect(received.length).toBeGreaterThan(0);
    expect(received.join('\n').toLowerCase()).not.toContain('authorization');
    expect(received.join('\n')).not.toContain(token);
  });

  test.each([
    ['model.nemo_path', `model.nemo_path='~/.bashrc'`, join(homedir(), '.bashrc')],
    ['model.nemo_path', 'model.nemo_path=../outside.nemo', 'outside.nemo'],
    ['exp_manager.exp_dir', 'exp_manager.exp_dir=/var/tmp/nautil-outside', '/var/tmp/nautil-outside'],
    ['exp_manager.explicit_log_dir', 'exp_manager.explicit_log_dir=/etc/nautil', '/etc/nautil'],
  ])('writes %s only where the worker allows it (%s)', async (key, override, path) => {
    const failure = await failureOf(`outside-${override.replaceAll(/\W+/g, '-')}`, [override]);
    expect(failure).toMatchObject({ type: 'OutputNotAllowed', nonRetryable: true });
    expect(failure.message).toContain(`${key}: this worker does not let runs write to`);
    expect(failure.message).toContain(path);
    expect(failure.message).toContain(stack.home);
    expect(failure.message).toContain('NAUTIL_OUTPUTS');
  });

  test('does not write in its working folder if that is elsewhere', async () => {
    const handle = await start('elsewhere-cwd', ['exp_manager.exp_dir=null'], { cwd: '/var/tmp' });
    const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
    const failure = (error as WorkflowFailedError).cause as ApplicationFailure;
    expect(failure.type).toBe('OutputNotAllowed');
    expect(failure.message).toContain('/var/tmp/nemo_experiments');
    expect(readdirSync('/var/tmp')).not.toContain('nemo_experiments');
    expect(isJsonObject(failure.details?.[0])).toBe(true);
  });
});
