import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { overrideOf } from '@nautil/contracts';
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

test('an override in a message has its text again when it is read, whatever the text is', () => {
  const name = fc.string({ minLength: 1, unit: fc.constantFrom(...Array.from('ab1.-_/ ,:[]{}()=\'"\\$#é客')) });
  fc.assert(
    fc.property(name, (value) => {
      expect(parseOverride(overrideOf('a.b', value))).toMatchObject({ key: 'a.b', value: { kind: 'scalar', value } });
    }),
    {
      numRuns: 3000,
      examples: ['true', 'Null', 'inf', '-inf', 'nan', '1', '1e3', '.1', '1_0', 'a.b', '/a/b', '${x}'].map((text) => [
        text,
      ]),
    },
  );
});
