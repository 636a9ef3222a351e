import { type Static, type TObject, type TSchema, Type } from '@sinclair/typebox';
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { defineError } from '../errors.js';
import { parseJson } from './parse-json.js';

/** A JSON text that is malformed, or does not match its schema. */
export class InvalidJson extends defineError('InvalidJson', 'data') {}

/** Checks a value against a schema and returns it. `source` names the file (and line) or the request in errors. */
export type JsonValidator<T> = (value: unknown, source: string) => T;

/** Parses a JSON text and validates the value. */
export type JsonParser<T> = (text: string, source: string) => T;

// Unknown properties are accepted: a newer version may have written the record, and servers add fields. The schemas are this
// program's own: checking them against the schema of schemas finds nothing, and optimizing their code takes longer than it saves.
const ajv = new Ajv({
  allowUnionTypes: true,
  discriminator: true,
  validateSchema: false,
  code: { optimize: false },
});

/** The schema of one of several kinds of objects. Its errors concern only the kind that the value has according to `tag`. */
export function variants<const S extends TObject[]>(tag: string, schemas: S) {
  return Type.Unsafe<Static<S[number]>>({
    type: 'object',
    required: [tag],
    discriminator: { propertyName: tag },
    oneOf: schemas,
  });
}

/** Creates the validator of a schema, which is compiled at the first use. The validator throws InvalidJson. */
export function jsonValidator<S extends TSchema>(schema: S): JsonValidator<Static<S>> {
  let matches: ValidateFunction<Static<S>> | undefined;
  return (value, source) => {
    matches ??= ajv.compile<Static<S>>(schema);
    if (matches(value)) return value;
    const errors = matches.errors?.map(withKnownTag);
    throw new InvalidJson(`${source} is invalid: ${ajv.errorsText(errors, { dataVar: 'value' })}`, {
      hint: 'it was altered, or written by another version of the program',
    });
  };
}

/** Creates a function that tells whether a value matches a schema. It is much faster than a validator for values that do not. */
export function jsonMatcher<S extends TSchema>(schema: S): (value: unknown) => value is Static<S> {
  let matches: ValidateFunction<Static<S>> | undefined;
  return (value): value is Static<S> => (matches ??= ajv.compile<Static<S>>(schema))(value);
}

/**
 * Creates a parser that validates what it parses. The parser throws InvalidJson.
 *
 * @example
 * const parseRecord = jsonParser(Type.Object({ workflowId: Type.String() }));
 * const { workflowId } = parseRecord(await readFile(path, 'utf8'), path);
 */
export function jsonParser<S extends TSchema>(schema: S): JsonParser<Static<S>> {
  const validate = jsonValidator(schema);
  return (text, source) => validate(parse(text, source), source);
}

/** The same for JSON lines, of which empty lines are ignored. */
export function jsonLinesParser<S extends TSchema>(schema: S): (text: string, source: string) => Static<S>[] {
  const parseLine = jsonParser(schema);
  return (text, source) =>
    text.split('\n').flatMap((line, index) => (line === '' ? [] : [parseLine(line, `${source}:${index + 1}`)]));
}

/** Names the tag that no variant has; ajv's own message does not. */
function withKnownTag(error: ErrorObject): ErrorObject {
  if (error.keyword !== 'discriminator') return error;
  const { tag, tagValue } = error.params as { tag: string; tagValue: unknown };
  return { ...error, instancePath: `${error.instancePath}/${tag}`, message: `is unknown: ${JSON.stringify(tagValue)}` };
}

function parse(text: string, source: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new InvalidJson(`${source} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
