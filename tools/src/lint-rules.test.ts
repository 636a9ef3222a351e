import { beforeAll, expect, test } from '@jest/globals';
import { lintTexts } from './testing/lint-texts.js';

// What eslint.config.mjs forbids because it overflows the stack or ends the process, on input that is rare in tests.

const file = 'libs/mlflow/src/wrong.ts';
const refused: [string, string, RegExp][] = [
  [file, 'Math.max(...values);', /use largest\(\) or smallest\(\)/],
  [file, 'all.push(...values);', /append them in a loop/],
  [file, 'all.values.unshift(first, ...values);', /append them in a loop/],
  [file, 'createReadStream(path);', /use readChunks, readTextLines or gunzipped/],
  [file, 'zlib.createGunzip();', /use readChunks, readTextLines or gunzipped/],
  [file, 'source.pipe(target);', /use pipeline\(\)/],
  [file, "child.once('error', reject);", /use on\(\)/],
  [file, 'setInterval(async () => send(), 1000);', /Nobody handles its rejection/],
  [file, 'const stream = await zip.openReadStreamPromise(entry);', /pass it to guardStream/],
  [file, 'interface Record {}', /hides a type of the TypeScript library/],
  ['libs/mlflow/src/wrong.test.ts', 'interface Record {}', /hides a type of the TypeScript library/],
  ['tools/wrong.mjs', "child.once('error', reject);", /use on\(\)/],
];

const allowed: [string, string][] = [
  [file, 'Math.max(0, value);'],
  [file, 'all.push(first, second);'],
  [file, "child.on('error', reject).once('close', resolve);"],
  [file, 'setInterval(() => send(), 1000);'],
  [file, 'const stream = guardStream(await zip.openReadStreamPromise(entry));'],
  ['libs/store/src/streams/right.ts', 'createReadStream(path);'],
  ['libs/mlflow/src/right.test.ts', 'all.push(...values);'],
];

let found: string[][];
beforeAll(async () => {
  const problems = await lintTexts([...refused, ...allowed].map(([path, text]) => [path, `${text}\n`] as const));
  found = problems.map((messages) => messages.filter((message) => message.startsWith('no-restricted-syntax')));
});

test.each(refused.map((row, i) => [...row, i] as const))('%s may not contain %s', (_file, _text, why, i) => {
  expect(found[i]).toEqual([expect.stringMatching(why)]);
});

test.each(allowed.map((row, i) => [...row, refused.length + i] as const))('%s may contain %s', (_file, _text, i) => {
  expect(found[i]).toEqual([]);
});
