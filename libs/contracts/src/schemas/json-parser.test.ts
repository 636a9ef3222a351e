import { expect, test } from '@jest/globals';
import { Type } from '@sinclair/typebox';
import { jsonParser } from './json-parser.js';

const parse = jsonParser(Type.Object({ id: Type.String(), rows: Type.Array(Type.Number()) }));

test('a valid text is parsed, with properties that the schema does not know', () => {
  expect(parse('{"id":"a","rows":[1,2],"more":true}', 'x')).toEqual({ id: 'a', rows: [1, 2], more: true });
});

test.each([
  ['{"id":"a",', /^run\.json:3 is not JSON: /],
  ['{"id":1,"rows":[]}', /^run\.json:3 is invalid: value\/id must be string$/],
  ['{"id":"a","rows":[1,"2"]}', /^run\.json:3 is invalid: value\/rows\/1 must be number$/],
  ['{"id":"a"}', /^run\.json:3 is invalid: value must have required property 'rows'$/],
  ['null', /^run\.json:3 is invalid: value must be object$/],
])('%s is reported with its source and what is wrong', (text, message) => {
  expect(() => parse(text, 'run.json:3')).toThrow(message);
});
