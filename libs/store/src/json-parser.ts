import type { Static, TSchema } from '@sinclair/typebox';
import { Ajv, type ValidateFunction } from 'ajv';
import { defineError } from '@nautil/contracts';

/** A record on disk, or a response of a server, is not the JSON that its reader expects. */
export class InvalidJson extends defineError('InvalidJson', 'data') {}

/** Checks a value against a schema and returns it; `source` names the file (and line) or the request in the message. */
export type JsonValidator<T> = (value: unknown, source: string) => T;

// Unknown properties are accepted: a newer version may have written the record, and servers add fields.
const ajv = new Ajv({ allowUnionTypes: true });

/** Creates the validator of a schema, which is compiled once, at the first use. Its errors are {@link InvalidJson}. */
export function jsonValidator<S extends TSchema>(schema: S): JsonValidator<Static<S>> {
  let conforms: ValidateFunction<Static<S>> | undefined;
  return (value, source) => {
    conforms ??= ajv.compile<Static<S>>(schema);
    if (conforms(value)) return value;
    const [problem] = conforms.errors ?? [];
    const { instancePath = '', message = 'is invalid' } = problem ?? {};
    throw new InvalidJson(`${source}: unexpected JSON: ${instancePath === '' ? 'the value' : instancePath} ${message}`);
  };
}

/** Parses a JSON text and validates it. */
export type JsonParser<T> = (text: string, source: string) => T;

/**
 * Creates a parser that validates what it parses.
 *
 * @example
 * const parseRecord = jsonParser(Type.Object({ workflowId: Type.String() }));
 * const { workflowId } = parseRecord(await readFile(path, 'utf8'), path); // throws InvalidJson
 */
export function jsonParser<S extends TSchema>(schema: S): JsonParser<Static<S>> {
  const validate = jsonValidator(schema);
  return (text, source) => {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw new InvalidJson(`${source}: invalid JSON: ${(error as Error).message}`, { cause: error });
    }
    return validate(value, source);
  };
}
