import type { JsonValue } from '@nautil/contracts';
import { Type, type TNull, type TObject, type TProperties, type TSchema, type TUnion } from '@sinclair/typebox';

/** What the schema says of a key beside its type. JSON Schema's own words, and ours. */
export interface KeyNotes {
  /** What it does: sentences. */
  description: string;

  /** The value in NeMo 1.23's text_classification_config.yaml, or in ours for keys that NeMo hasn't. */
  default?: JsonValue;

  /** What NeMo's code takes when a file leaves the key out, where that isn't `default`. */
  whenAbsent?: JsonValue;

  /** How versions of NeMo or Lightning differ. */
  versions?: string;

  /**
   * Whether the value belongs to the digest. `content`: only whether it is given, since the bytes it points at are digested on
   * their own. `name`: the last part of a path. Default true.
   */
  affectsResult?: boolean | 'content' | 'name';

  /** Relative paths are resolved: `input` and `output` always, `name` only when such a folder or file exists. */
  path?: 'input' | 'output' | 'name';

  /** Why the key changes nothing here: it is accepted, and said so when its value isn't the default. */
  noEffect?: string;

  /** The only values that can be had, and what to do instead of the others. */
  lacking?: { accepted: readonly JsonValue[]; instead: string };

  /** 1.0 is all of it and 1 is one batch: how the number is written decides. */
  fraction?: boolean;
}

/** Names of our keywords, which ajv must be told of. */
export const keyNoteWords = [
  'whenAbsent', 'versions', 'affectsResult', 'path', 'noEffect', 'lacking', 'fraction',
] as const satisfies readonly (keyof KeyNotes)[]; // prettier-ignore

/** A leaf of the schema with its notes. */
export function key<T extends TSchema>(schema: T, notes: KeyNotes): T {
  return { ...schema, ...notes };
}

/** `T | null`. */
export function nullable<T extends TSchema>(schema: T): TUnion<[T, TNull]> {
  return Type.Union([schema, Type.Null()]);
}

/** One of a few words. */
export function oneOf<const W extends string>(...words: readonly W[]): TSchema & { static: W } {
  return Type.Unsafe<W>({ type: 'string', enum: [...words] });
}

/** Anything at all: for keys that are read nowhere. */
export const anything = Type.Unsafe<JsonValue>({});

/** A key that stays absent when a file leaves it out: its default depends on other keys. */
export function optional<T extends TSchema>(schema: T, notes: KeyNotes) {
  return Type.Optional(key(schema, notes));
}

/**
 * A section with a fixed set of keys. In the type they are all there, since missing ones are filled in before anybody reads them;
 * in the schema none is required, since a file may leave any of them out.
 */
export function section<P extends TProperties>(description: string, properties: P): TObject<P> {
  const { required: _, ...schema } = Type.Object(properties, { description, additionalProperties: false });
  return schema as TObject<P>;
}
