import { afterEach, expect, test } from '@jest/globals';
import { allowedVariables, environmentNamed } from './run-environment.js';

afterEach(() => {
  delete process.env['NAME_OF_DATA'];
  delete process.env['NAUTIL_ENV_ALLOWED'];
});

test.each([
  ['test', 'test', 'a test of data'],
  ['data', 'test', 'a test of ${oc.env:NAME_OF_DATA}'],
])('a sweep finds the scores of its split, also if a variable is %s', (value, split, detail) => {
  process.env['NAME_OF_DATA'] = value;
  expect(environmentNamed(['NAME_OF_DATA']).conceal({ split: 'test', detail: 'a test of data' })).toEqual({
    split,
    detail,
  });
});

test('runs never read the secret of groups', () => {
  process.env['NAUTIL_ENV_ALLOWED'] = 'DATA, MODELS';
  expect(allowedVariables()).toEqual(['DATA', 'MODELS']);
  process.env['NAUTIL_ENV_ALLOWED'] = 'DATA, NAUTIL_GROUP_SECRET';
  expect(allowedVariables).toThrow(expect.objectContaining({ name: 'EnvironmentInvalid' }));
});
