import {
  type TNull,
  type TObject,
  type TProperties,
  type TSchema,
  type TUnion,
  type TUnsafe,
  Type,
} from '@sinclair/typebox';
import type { JsonValue } from '@nautil/contracts';

/**
 * The first part of a run that a key can change:
 *
 * - `inputs`: which texts, labels, tokenizer and encoder a run reads. Stages compare these by digests of their content.
 * - `training`: the trained weights, or the losses and scores that a training logs.
 * - `evaluation`: the report on the trained weights, or which weights are reported on and packaged.
 * - `package`: only what the `.nemo` file records.
 * - `nothing`: no result. At most the place or the display of results, or the time they take.
 */
export type Affects = 'inputs' | 'training' | 'evaluation' | 'package' | 'nothing';

/** A value of another key on which the effect of a key depends: one of `is`, or any but those of `isNot`. */
export type Requirement = { key: string } & (
  { is: readonly [ScalarValue, ...ScalarValue[]] } | { isNot: readonly [ScalarValue, ...ScalarValue[]] }
);

type ScalarValue = string | number | boolean | null;

/** What the schema states about a key besides its type: JSON Schema's annotations, and Nautil's own. */
export interface KeyNotes {
  /** What the key does, in full sentences. */
  description: string;

  affects: Affects;

  /** The value in Nautil's text_classification_config.yaml: that of NeMo 1.23's, for all but two of NeMo's keys. */
  default?: JsonValue;

  /** The value that NeMo's code uses when a file leaves the key out, where it differs from `default`. */
  whenAbsent?: JsonValue;

  /** How versions of NeMo or Lightning differ. */
  versions?: string;

  /**
   * The value is a path, and a relative one is resolved: `input` and `output` always; `name` only when such a file or folder
   * exists, since it may be the name of a model or a data set instead.
   */
  path?: 'input' | 'output' | 'name';

  /** Why the key changes nothing here. Nautil accepts it, and prints a note when its value differs from the default. */
  noEffect?: string;

  /**
   * The key has an effect only if every entry is met. An entry is met if one of its requirements is. A run in which the user
   * set the key although an entry is unmet prints a note.
   */
  needs?: readonly Need[];

  /** What the key needs besides, in words, where only a stage of the run can tell. That stage reports it. */
  needsFound?: string;

  /** The hint of the error that takes the place of the note, for a key whose lack of effect would be dangerous. */
  rejectedUnmet?: string;

  /** The only values that Nautil accepts, and what to do instead of using another. */
  unsupported?: { accepted: readonly JsonValue[]; instead: string };

  /** 1.0 means all and 1 means one batch: the way the number is written decides. */
  fraction?: boolean;
}

/** One of these requirements must be met. */
export type Need = readonly [Requirement, ...Requirement[]];

/** Nautil's own keywords, which ajv must know. */
export const ownKeywords = [
  'affects', 'whenAbsent', 'versions', 'path', 'noEffect', 'needs', 'needsFound', 'rejectedUnmet', 'unsupported',
  'fraction',
] as const satisfies readonly (keyof KeyNotes)[]; // prettier-ignore

/** A key of the configuration. */
export function key<T extends TSchema>(schema: T, notes: KeyNotes): T {
  return { ...schema, ...notes };
}

/** A key that stays absent when a file leaves it out, because its default depends on other keys. */
export function optional<T extends TSchema>(schema: T, notes: KeyNotes) {
  return Type.Optional(key(schema, notes));
}

/** A key that Nautil accepts and never reads. */
export function ignored(description: string, usual: JsonValue, noEffect: string, affects: Affects = 'nothing') {
  return key(anything, { description, affects, default: usual, noEffect });
}

/** Keys that Nautil accepts and never reads: the default of each, and why it has no effect. */
export function ignoredKeys<const K extends string>(
  description: string,
  table: Readonly<Record<K, readonly [usual: JsonValue, noEffect: string]>>,
): Record<K, TUnsafe<JsonValue>> {
  const rows = Object.entries(table) as [K, readonly [JsonValue, string]][];
  const keys = rows.map(([name, [usual, noEffect]]) => [name, ignored(description, usual, noEffect)] as const);
  return Object.fromEntries(keys) as Record<K, TUnsafe<JsonValue>>;
}

/** A key that may only have values that switch it off, the first of which is the default. */
export function onlyOff(
  description: string,
  accepted: readonly JsonValue[],
  instead: string,
  affects: Affects = 'nothing',
) {
  return key(anything, { description, affects, default: accepted[0] ?? null, unsupported: { accepted, instead } });
}

/** Adds needs to those that each key has. A key without effect, or with values that Nautil lacks, states that instead. */
export function needing<P extends TProperties>(needs: readonly Need[], properties: P): P {
  const rows = Object.entries(properties).map(([name, schema]): [string, TSchema] => {
    const { noEffect, unsupported, needs: own = [] } = schema as TSchema & Partial<KeyNotes>;
    return [name, noEffect !== undefined || unsupported ? schema : { ...schema, needs: [...needs, ...own] }];
  });
  return Object.fromEntries(rows) as P;
}

/** `T | null`. */
export function nullable<T extends TSchema>(schema: T): TUnion<[T, TNull]> {
  return Type.Union([schema, Type.Null()]);
}

/** One of a few words. */
export function oneOf<const W extends string>(...words: readonly W[]): TSchema & { static: W } {
  return Type.Unsafe<W>({ type: 'string', enum: [...words] });
}

/** Any value: for keys that nothing reads. */
export const anything = Type.Unsafe<JsonValue>({});

/**
 * A section with a fixed set of keys. The type has every key that is not optional, since `fillDefaults` adds the absent ones
 * before any code reads them; the schema requires none, since a file may leave any of them out.
 */
export function section<P extends TProperties>(description: string, properties: P): TObject<P> {
  const { required: _, ...schema } = Type.Object(properties, { description, additionalProperties: false });
  return schema as TObject<P>;
}
