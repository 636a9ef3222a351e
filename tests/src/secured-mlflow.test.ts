import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { getExperimentByName, MlflowClient, searchRuns } from '@nautil/mlflow';
import { nautil } from './testing/drill.js';
import { LocalStack, tinyRun } from './testing/local-stack.js';
import { programEnvironment } from './testing/program-environment.js';
import {
  type Certificates,
  makeCertificates,
  type SecuredServer,
  startCertificateProxy,
} from './testing/secured-servers.js';

let folder: string;
let stack: LocalStack;
let certificates: Certificates;
let secured: SecuredServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nautil-secured-mlflow-'));
  certificates = await makeCertificates(folder);
  stack = await LocalStack.start({ mlflow: true });
  secured = await startCertificateProxy(new URL(stack.mlflowUri).host, certificates, 'http/1.1');
}, 240_000);
afterAll(async () => {
  await secured.close();
  await stack.stop();
  rmSync(folder, { recursive: true });
});

/** Certificate and key in one file, as MLflow's clients take them. */
function clientFile(): string {
  const { certFile, keyFile } = certificates.client;
  const file = join(folder, 'both.pem');
  writeFileSync(file, `${readFileSync(certFile, 'utf8')}\n${readFileSync(keyFile, 'utf8')}`);
  return file;
}

const train = (variables: Record<string, string>, name: string) =>
  nautil(
    stack,
    [
      'train',
      ...tinyRun,
      'trainer.max_steps=2',
      `exp_manager.name=${name}`,
      'exp_manager.exp_dir=' + join(folder, name),
    ],
    { ...programEnvironment(stack.home), MLFLOW_TRACKING_URI: `https://${secured.address}`, ...variables },
  );

test('a run is tracked, with its archive, by an MLflow server with a private authority that requires a certificate', async () => {
  const { exitCode, stderr } = await train(
    { MLFLOW_TRACKING_SERVER_CERT_PATH: certificates.caFile, MLFLOW_TRACKING_CLIENT_CERT_PATH: clientFile() },
    'private',
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.anything() });
  const client = new MlflowClient({ trackingUri: stack.mlflowUri });
  const experiment = await getExperimentByName(client, 'private');
  const [run] = await searchRuns(client, { experimentIds: [experiment!.experimentId] });
  expect(run!.info.status).toBe('FINISHED');
  const listed = await fetch(`${stack.mlflowUri}/api/2.0/mlflow/artifacts/list?run_id=${run!.info.runId}&path=model`);
  expect(JSON.stringify(await listed.json())).toContain('.nemo');
}, 240_000);

test('without the authority, training succeeds, and the warning names the reason', async () => {
  const { exitCode, stderr } = await train({}, 'unverified');
  expect(stderr).toMatch(/MLflow at https:\/\/localhost.*certificate/);
  expect(exitCode).toBe(0);
}, 240_000);

test.each([
  [{ MLFLOW_TRACKING_SERVER_CERT_PATH: '/nowhere/ca.pem' }, '/nowhere/ca.pem cannot be read'],
  [{ MLFLOW_TRACKING_CLIENT_CERT_PATH: '/nowhere/both.pem' }, '/nowhere/both.pem cannot be read'],
  [{ MLFLOW_TRACKING_URI: 'databricks://profile' }, 'Databricks is not supported'],
  [{ MLFLOW_TRACKING_URI: 'databricks' }, 'Databricks is not supported'],
])(
  'settings that cannot be followed, %j, are an error before anything is trained',
  async (variables, message) => {
    const { exitCode, stderr } = await train(variables, 'refused');
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(exitCode).toBe(2);
    expect(stderr).not.toMatch(/step 1/);
  },
  60_000,
);
