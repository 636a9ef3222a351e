import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';
import { programVersion } from './program-version.js';

test('the program is identified by the version in package.json and a digest of its files', async () => {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  expect(await programVersion()).toEqual({ version, code: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown });
});
