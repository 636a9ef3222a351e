import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { writeSafetensors } from '@nautil/formats';
import { packageRoot } from '@nautil/store/folders';
import { withFolder } from '@nautil/testing';

function inspect(cwd: string, ...args: string[]) {
  const program = join(packageRoot(), 'apps/cli/bin/nautil.mjs');
  const env = { ...process.env, NODE_OPTIONS: '', DEBUG: '', INIT_CWD: cwd };
  return spawnSync(process.execPath, [program, 'inspect', ...args], { cwd, env, encoding: 'utf8', timeout: 30_000 });
}

test('inspect lists the tensors of a checkpoint, whatever its name is', async () => {
  await withFolder({}, async (folder) => {
    for (const name of ['last.ckpt', 'weights']) {
      const bias = { name: 'head.bias', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } as const;
      await writeSafetensors(join(folder, name), [bias], { step: '7' });
      const { status, stdout } = inspect(folder, name);
      expect(stdout).toMatch(/: 2 values in 1 tensor \(safetensors\), no texts\n\nMetadata\n {2}step: 7\n/);
      expect(stdout).toMatch(/F32 +\[2\] +head\.bias/);
      expect(status).toBe(0);
    }
    writeFileSync(join(folder, 'cut.ckpt'), Buffer.from('\x40\x01\0\0\0\0\0\0{"a":', 'latin1'));
    const cut = inspect(folder, 'cut.ckpt');
    expect(cut.stderr).toMatch(/^cut\.ckpt: the file is cut off: its safetensors header/);
    expect(cut.status).toBe(3);
    const { tensors } = JSON.parse(inspect(folder, 'weights', '--json').stdout) as { tensors: unknown };
    expect(tensors).toEqual([{ name: 'head.bias', dtype: 'F32', shape: [2] }]);
  });
}, 60_000);

test.each([
  ['one', 1, '1 text occurs earlier with a different label'],
  ['several', 2, '2 texts occur earlier with a different label'],
])('a finding about %s is in the right number', async (_, count, sentence) => {
  const repeated = ['one film', 'two films'].slice(0, count);
  const rows = [...repeated.map((text) => `${text},good`), 'three films,bad', ...repeated.map((text) => `${text},bad`)];
  await withFolder({ 'films.csv': `text,label\n${rows.join('\n')}\n` }, (folder) => {
    expect(inspect(folder, 'films.csv').stdout).toContain(`! ${sentence}\n`);
    return Promise.resolve();
  });
});
