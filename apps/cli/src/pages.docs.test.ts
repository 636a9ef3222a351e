import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { packageRoot } from '@nautil/store/folders';

test('the generated pages and the notebook are up to date with the code and the tutorial; `node tools/docs.mjs` regenerates them', async () => {
  const check = promisify(execFile)(process.execPath, ['tools/docs.mjs', '--check'], { cwd: packageRoot() });
  await expect(check).resolves.toMatchObject({ stdout: 'the pages are up to date\n' });
});
