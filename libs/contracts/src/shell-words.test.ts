import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { nautilCommand, shellWord } from './shell-words.js';

test('ordinary names, paths and overrides are not quoted', () => {
  for (const word of ['sst2-20261127-022351', 'models/sst2.nemo', '--from', 'model.optim.lr=1e-5'])
    expect(shellWord(word)).toBe(word);
});

test('a command with spaces and quotation marks can be pasted', () => {
  expect(nautilCommand('resume', "anna's run")).toBe(String.raw`npx nautil resume 'anna'\''s run'`);
});

test('a shell reads every word back as it was', () => {
  const shellText = fc.array(
    fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !text.includes('\0')),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(shellText, (words) => {
      const read = execFileSync('sh', ['-c', `printf '%s\\0' ${words.map(shellWord).join(' ')}`], { encoding: 'utf8' });
      expect(read.split('\0').slice(0, -1)).toEqual(words);
    }),
    { seed: 16, numRuns: 50 },
  );
});
