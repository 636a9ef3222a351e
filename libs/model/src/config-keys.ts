import { isDeepStrictEqual } from 'node:util';
import { UnsupportedEncoder } from './errors.js';
import { activationNames } from './layers/activation.js';
import { shownValue } from './shown-value.js';

/** Values of a config.json by key. */
export type ConfigValues = Readonly<Record<string, unknown>>;

/** Well above every published encoder. The weights are listed before any is read, so a size must not be taken on trust. */
export const largestSizes = {
  vocabulary: 1 << 24,
  hidden: 1 << 16,
  layers: 1000,
  heads: 1 << 12,
  intermediate: 1 << 18,
  positions: 1 << 20,
  types: 1 << 12,
};

interface Range {
  /** Default 1. */
  least?: number;
  most: number;
}

/** What a family determines about the keys of its config.json. */
export interface KeysOfFamily {
  /** transformers' values for keys that the file leaves out. */
  readonly defaults: ConfigValues;

  /** transformers' `attribute_map`, reversed: the standard name that a file may give a key of the family, and which wins over it. */
  readonly standardNames?: Readonly<Record<string, string>>;
}

/** The keys of one config.json. Each reader throws UnsupportedEncoder with the key's name for a value that is not supported. */
export class ConfigKeys {
  readonly modelType: string;
  readonly #given: ConfigValues;
  readonly #family: KeysOfFamily;
  readonly #source: string;

  constructor(o: { given: ConfigValues; family: KeysOfFamily; modelType: string; source: string }) {
    this.modelType = o.modelType;
    this.#given = o.given;
    this.#family = o.family;
    this.#source = o.source;
  }

  /** The value in the file, or transformers' default. A null counts as left out. */
  valueOf(key: string): unknown {
    return this.#given[this.#nameInFile(key)] ?? this.#family.defaults[key];
  }

  /** The keys in the file. */
  get given(): string[] {
    return Object.keys(this.#given);
  }

  count(key: string, { least = 1, most }: Range): number {
    const valid = (value: number): boolean => Number.isInteger(value) && value >= least && value <= most;
    return this.#number(key, `an integer from ${least} to ${most}`, valid);
  }

  /** A dropout rate. */
  rate(key: string): number {
    return this.#number(key, 'from 0 to below 1', (value) => value >= 0 && value < 1);
  }

  positive(key: string): number {
    return this.#number(key, 'above 0', (value) => value > 0);
  }

  boolean(key: string): boolean {
    const value = this.valueOf(key);
    return typeof value === 'boolean' ? value : this.refuse(key, 'true or false');
  }

  /** The name of an activation that `activationOf` has. */
  activation(key: string): string {
    const value = this.valueOf(key);
    return typeof value === 'string' && activationNames.includes(value)
      ? value
      : this.refuse(key, `one of ${activationNames.join(', ')}`);
  }

  /** The keys of an object within the file, which the file may leave out. */
  section(key: string): ConfigKeys {
    const value = this.valueOf(key) ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) this.refuse(key, 'an object');
    const given = value as ConfigValues;
    const source = `${this.#source}: ${key}`;
    return new ConfigKeys({ given, family: { defaults: {} }, modelType: this.modelType, source });
  }

  /** The size of the hidden states, and the number of heads that they are split into. */
  hiddenSizeAndHeads(sizeKey: string, headsKey: string): { hiddenSize: number; numHeads: number } {
    const hiddenSize = this.count(sizeKey, { most: largestSizes.hidden });
    const numHeads = this.count(headsKey, { most: largestSizes.heads });
    if (hiddenSize % numHeads !== 0) this.refuse(sizeKey, `a multiple of ${this.#nameInFile(headsKey)} (${numHeads})`);
    return { hiddenSize, numHeads };
  }

  /** The id whose embedding is not trained. */
  paddingId(vocabSize: number): number {
    return this.count('pad_token_id', { least: 0, most: vocabSize - 1 });
  }

  /** Rejects a file in which the key has another value than the only one that is computed. A file may leave the key out. */
  requireOnly(key: string, only: unknown): void {
    const found = this.#given[key] ?? only;
    if (isDeepStrictEqual(found, only)) return;
    throw new UnsupportedEncoder(
      `${this.#source}: ${key} ${shownValue(found)} is not supported, only ${shownValue(only)}`,
      { hint: unsupportedSetting(key) },
    );
  }

  /** Rejects settings under which transformers' encoders of every family compute something else. */
  requireUsual(): void {
    this.requireOnly('is_decoder', false);
    this.requireOnly('add_cross_attention', false);
    this.requireOnly('is_encoder_decoder', false);
    for (const key of ['pruned_heads', 'per_layer_config', 'quantization_config']) {
      const value = this.#given[key];
      if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) {
        throw new UnsupportedEncoder(`${this.#source}: ${key} is not supported`, { hint: unsupportedSetting(key) });
      }
    }
  }

  refuse(key: string, wanted: string): never {
    throw new UnsupportedEncoder(
      `${this.#source}: ${this.#nameInFile(key)} is ${shownValue(this.valueOf(key))} and must be ${wanted}`,
    );
  }

  /** The standard name of a key of the family if the file has it, else the key itself. */
  #nameInFile(key: string): string {
    const standard = this.#family.standardNames?.[key];
    return standard !== undefined && (this.#given[standard] ?? null) !== null ? standard : key;
  }

  #number(key: string, wanted: string, valid: (value: number) => boolean): number {
    const value = this.valueOf(key);
    return typeof value === 'number' && valid(value) ? value : this.refuse(key, wanted);
  }
}

/** The key changes what the weights mean, so that removing it from the file would change the numbers. */
const unsupportedSetting = (key: string): string =>
  `Nautil does not compute encoders with this setting: use a model without ${key}, or save this one without it (docs/encoders.md)`;
