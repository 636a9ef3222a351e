import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from '@nautil/store/process';
import { nautil } from './testing/drill.js';
import { LocalStack, tinyRun } from './testing/local-stack.js';
import {
  type Certificates,
  makeCertificates,
  type SecuredServer,
  startCertificateProxy,
  startKeyProxy,
} from './testing/secured-servers.js';

const namespace = 'team';
const apiKey = 'a-key-that-nobody-may-see';
let folder: string;
let stack: LocalStack;
let certificates: Certificates;
let withCertificates: SecuredServer;
let withKeys: SecuredServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nautil-secured-temporal-'));
  certificates = await makeCertificates(folder);
  stack = await LocalStack.start({ mlflow: false, namespace });
  withCertificates = await startCertificateProxy(stack.temporalAddress, certificates, 'h2');
  withKeys = await startKeyProxy(stack.temporalAddress, certificates, apiKey);
}, 240_000);
afterAll(async () => {
  await Promise.all([withCertificates.close(), withKeys.close()]);
  await stack.stop();
  rmSync(folder, { recursive: true });
});

/** A configuration file without profiles, so that the user's own has no effect. */
function emptyFile(): string {
  const file = join(folder, 'empty.toml');
  writeFileSync(file, '');
  return file;
}

/** Variables of a client of one of the servers. NAUTIL_TEMPORAL_ADDRESS would override them. */
const at = (address: string, variables: Record<string, string>) => ({
  NAUTIL_TEMPORAL_ADDRESS: '',
  TEMPORAL_CONFIG_FILE: emptyFile(),
  TEMPORAL_ADDRESS: address,
  TEMPORAL_NAMESPACE: namespace,
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: certificates.caFile,
  ...variables,
});
const certificateOf = ({ certFile, keyFile }: { certFile: string; keyFile: string }) => ({
  TEMPORAL_TLS_CLIENT_CERT_PATH: certFile,
  TEMPORAL_TLS_CLIENT_KEY_PATH: keyFile,
});

const secured: [string, () => Record<string, string>][] = [
  [
    'requires a client certificate, named by variables',
    () => at(withCertificates.address, certificateOf(certificates.client)),
  ],
  ['requires an API key, in a profile of the configuration file', () => profileWithKey()],
];

function profileWithKey(): Record<string, string> {
  const file = join(folder, 'temporal.toml');
  const lines = [
    '[profile.prod]',
    `address = "${withKeys.address}"`,
    `namespace = "${namespace}"`,
    `api_key = "${apiKey}"`,
    '[profile.prod.tls]',
    `server_ca_cert_path = "${certificates.caFile}"`,
  ];
  writeFileSync(file, lines.join('\n'));
  return { NAUTIL_TEMPORAL_ADDRESS: '', TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'prod' };
}

describe.each(secured)('a Temporal server that %s', (title, variables) => {
  const taskQueue = title.includes('key') ? 'keys' : 'certificates';

  test('runs a workflow for `nautil run`, on a worker that connects alike, without showing the key', async () => {
    const env = variables();
    const metricsAddress = `127.0.0.1:${await freePort()}`;
    const worker = await stack.startWorker({
      args: ['--task-queue', taskQueue],
      env: { ...env, NAUTIL_METRICS_ADDRESS: metricsAddress },
    });
    const { exitCode, stdout, stderr } = await nautil(
      stack,
      ['run', '--task-queue', taskQueue, '--workflow-id', taskQueue, ...tinyRun, 'trainer.max_steps=2'],
      env,
    );
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: expect.anything() });
    const shown = await nautil(stack, ['status'], env);
    expect(`${stdout}${stderr}${shown.stdout}${shown.stderr}`).not.toContain(apiKey);
    expect(shown.stdout).toMatch(/Temporal +running/i);
    const metrics = await (await fetch(`http://${metricsAddress}/metrics`)).text();
    expect(metrics).toMatch(/^temporal_activity_execution_latency\S*_count\{.*activity_type="train".*\} 1$/m);
    worker.kill('SIGKILL');
  }, 240_000);
});

const refused: [string, () => Record<string, string>, RegExp][] = [
  ['without a certificate', () => at(withCertificates.address, {}), /certificate/],
  [
    'with a stranger’s certificate',
    () => at(withCertificates.address, certificateOf(certificates.stranger)),
    /certificate|unknown ca/,
  ],
  ['without TLS', () => at(withCertificates.address, { TEMPORAL_TLS: 'false' }), /closed|ECONNRESET|socket/],
  ['with an authority that did not sign the server’s certificate', () => unknownAuthority(), /certificate/],
  ['with a wrong key', () => at(withKeys.address, { TEMPORAL_API_KEY: 'wrong' }), /invalid API key/],
  ['without a key', () => at(withKeys.address, { TEMPORAL_TLS: 'true' }), /invalid API key/],
];
const unknownAuthority = () =>
  at(withKeys.address, {
    TEMPORAL_API_KEY: apiKey,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: certificates.stranger.certFile,
  });

test.each(refused)(
  'a client %s is refused with an error that names the server and the reason',
  async (_, variables, reason) => {
    const env = variables();
    const { exitCode, stderr } = await nautil(stack, ['run', '--workflow-id', 'refused', ...tinyRun], env);
    const [message] = stderr.split('\n');
    expect(message).toContain(`no Temporal server answers at ${env['TEMPORAL_ADDRESS']}: `);
    expect(message).toMatch(reason);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(exitCode).toBe(4);
  },
  60_000,
);
