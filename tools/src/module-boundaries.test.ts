import { beforeAll, expect, test } from '@jest/globals';
import { lintTexts } from './testing/lint-texts.js';

// docs/design.md has the layers; eslint.config.mjs enforces them. An import that goes against them must not pass.

const importing = (what: string): string => `import * as it from '${what}';\nexport const kept = it;\n`;

const refused: [string, string, RegExp][] = [
  ['libs/contracts/src/wrong.ts', '@nautil/store', /enforce-module-boundaries/],
  ['libs/contracts/src/wrong.ts', 'node:fs', /contracts and workflows are pure/],
  ['libs/store/src/wrong.ts', '@nautil/config', /enforce-module-boundaries/],
  ['libs/metrics/src/wrong.ts', '@nautil/mlflow', /enforce-module-boundaries/],
  ['libs/model/src/wrong.ts', '@nautil/training', /enforce-module-boundaries/],
  ['libs/training/src/wrong.ts', '@nautil/activities', /enforce-module-boundaries/],
  ['libs/activities/src/wrong.ts', '@nautil/cli', /enforce-module-boundaries/],
  ['workflows/src/wrong.ts', '@nautil/activities', /enforce-module-boundaries/],
  ['workflows/src/wrong.ts', '@nautil/store', /enforce-module-boundaries/],
  ['workflows/src/wrong.ts', 'node:path', /contracts and workflows are pure/],
  ['libs/training/src/wrong.ts', '@nautil/testing', /@nautil\/testing is for tests alone/],
  ['libs/contracts/src/wrong.ts', '@nautil/testing', /@nautil\/testing is for tests alone/],
  ['apps/cli/src/wrong.ts', '@nautil/testing', /@nautil\/testing is for tests alone/],
  ['libs/testing/src/wrong.ts', '@nautil/store', /enforce-module-boundaries/],
];

const allowed: [string, string][] = [
  ['libs/store/src/right.ts', '@nautil/contracts'],
  ['libs/training/src/right.ts', '@nautil/model'],
  ['libs/activities/src/right.ts', '@nautil/training'],
  ['workflows/src/right.ts', '@nautil/contracts'],
  ['libs/training/src/right.test.ts', '@nautil/testing'],
  ['libs/training/src/testing/right.ts', '@nautil/testing'],
];

let found: string[][];
beforeAll(async () => {
  const texts = [...refused, ...allowed].map(([file, what]): [string, string] => [file, importing(what)]);
  found = await lintTexts(texts);
});

test.each(refused.map((row, i) => [...row, i] as const))('%s may not import %s', (_file, _what, why, i) => {
  expect(found[i]!.join('\n')).toMatch(why);
});

test.each(allowed.map((row, i) => [...row, refused.length + i] as const))('%s may import %s', (_file, _what, i) => {
  expect(found[i]).toEqual([]);
});
