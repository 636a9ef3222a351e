import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { loadConfig } from './load-config.js';
import { parseOverride } from './parse-override.js';

test.each([
  'my tickets (final).csv',
  'a [1].csv',
  'a,b.csv',
  '客户 (新).csv',
  '客户.csv',
  'отзывы.csv',
  "it's (1).csv",
  'a {b}.csv',
  'x: (y)',
])('the hint on the value %j is an override that a shell passes on, and that has this value', async (value) => {
  const error = await loadConfig({ overrides: [`model.train_ds.file_path=${value}`] }).catch(
    (thrown: unknown) => thrown,
  );
  const [, typed = ''] = /in a shell: (.*)$/m.exec(String((error as { hint?: string }).hint)) ?? [];
  const passedOn = execFileSync('sh', ['-c', `printf %s ${typed}`], { encoding: 'utf8' });
  expect(parseOverride(passedOn)).toMatchObject({
    key: 'model.train_ds.file_path',
    value: { kind: 'scalar', value },
  });
});
