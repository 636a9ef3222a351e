import type { Static, TSchema } from '@sinclair/typebox';
import { Ajv } from 'ajv';
import { defineError } from '../errors.js';

/** A JSON text that is malformed, or does not match its schema. */
export class InvalidJson extends defineError('InvalidJson', 'data') {}

const ajv = new Ajv({ allowUnionTypes: true });

/** A parser for JSON texts that match the schema. `source` names the text in errors. @throws InvalidJson */
export function jsonParser<T extends TSchema>(schema: T): (text: string, source: string) => Static<T> {
  const matches = ajv.compile<Static<T>>(schema);
  return (text, source) => {
    const value = parse(text, source);
    if (matches(value)) return value;
    throw new InvalidJson(`${source} is invalid: ${ajv.errorsText(matches.errors, { dataVar: 'value' })}`, {
      hint: 'the file was altered, or written by another version of Nautil',
    });
  };
}

/** The same for JSON lines, of which empty lines are ignored. */
export function jsonLinesParser<T extends TSchema>(schema: T): (text: string, source: string) => Static<T>[] {
  const parseLine = jsonParser(schema);
  return (text, source) =>
    text.split('\n').flatMap((line, index) => (line === '' ? [] : [parseLine(line, `${source}:${index + 1}`)]));
}

function parse(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidJson(`${source} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
