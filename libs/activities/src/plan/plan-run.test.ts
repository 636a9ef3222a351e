import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { goldenPath } from '@nautil/testing';
import { planRun } from './plan-run.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-plan-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The plan of a run whose encoder or data nobody has. */
async function planned(...overrides: string[]) {
  process.env['NAUTIL_HOME'] = join(folder, 'nautil');
  process.env['HF_HOME'] = join(folder, 'hub');
  const request = { workflowId: 'w', overrides: [`exp_manager.exp_dir=${folder}`, ...overrides] };
  return planRun(request, {
    cwd: folder,
    trackingUri: 'http://127.0.0.1:9',
    signal: new AbortController().signal,
    measure: () => Promise.reject(new Error('there is nothing to measure')),
  });
}

/** An address at which no server listens any more. */
async function closedAddress(): Promise<string> {
  const server = createServer().listen(0);
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return `http://127.0.0.1:${port}`;
}

test.each([
  ['model.language_model.pretrained_model_name', 'org/absent', 'the model org/absent'],
  ['nautil.data.source', 'org/rows', 'the dataset org/rows'],
])('a plan states that %s cannot be downloaded, with the keys to change', async (key, value, what) => {
  process.env['HF_ENDPOINT'] = await closedAddress();
  const { problems } = await planned(
    ...(key === 'nautil.data.source'
      ? [`model.language_model.pretrained_model_name=${goldenPath('bert-tiny-uncased')}`]
      : ['model.train_ds.file_path=train.tsv']),
    `${key}=${value}`,
  );
  expect(problems).toEqual([
    {
      kind: 'download',
      message: expect.stringMatching(new RegExp(`^the hub at .* cannot be reached .*: ${what} was not fetched$`)),
      hint: expect.stringContaining(`set ${key} to what is on this machine`),
    },
  ]);
});
