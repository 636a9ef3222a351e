import { Document, isScalar, parseDocument, Scalar, type ScalarTag, type Tags, visit } from 'yaml';
import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { withinYamlBounds } from '@nautil/contracts/schemas';
import { pythonNumber } from '@nautil/python-format';
import { CorruptFile } from '../errors.js';

/** The parser needs up to 500 bytes for each byte. A configuration of NeMo has about 4,000. */
const largestConfig = 1 << 20;

/** What reads a configuration walks it recursively. */
const deepest = 100;

/** Parses a model_config.yaml as OmegaConf does: YAML 1.1 without timestamps. */
export function parseNemoYaml(bytes: Uint8Array, path: string): JsonObject {
  if (bytes.length > largestConfig)
    throw new CorruptFile(path, `the configuration has ${bytes.length} bytes, more than ${largestConfig}`);
  let tree: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const document = withinYamlBounds(text, (source) =>
      parseDocument(source, {
        ...yaml11,
        customTags: (tags) => without('timestamp', tags),
        logLevel: 'silent',
        // The library compares each key with all others of its map.
        uniqueKeys: false,
      }),
    );
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw problem;
    requireUniqueKeys(document);
    tree = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // The parser is recursive, so a hostile depth of nesting causes a RangeError.
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new CorruptFile(path, `is not valid YAML (${reason})`, { cause: error });
  }
  if (!isJsonObject(tree) || !isJson(tree, deepest)) throw new CorruptFile(path, 'is not a mapping of plain values');
  return tree;
}

/**
 * Prints a configuration so that PyYAML and OmegaConf read the same values. Floats are printed as PyYAML prints them, because it
 * reads `1e-7` as a string. Strings are quoted wherever YAML 1.1 could read them as something else.
 */
export function stringifyNemoYaml(tree: JsonObject): string {
  const document = new Document(tree, {
    ...yaml11,
    customTags: (tags) => [floatTag, ...without('merge', tags)],
    aliasDuplicateObjects: false,
  });
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'string' && !safePlain.test(node.value)) node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  const text = document.toString({ lineWidth: 0, indentSeq: false, blockQuote: false });
  return text.replace(unprintable, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const yaml11 = { version: '1.1', schema: 'yaml-1.1' } as const;

function without(name: string, tags: Tags): Tags {
  return tags.filter((tag) => typeof tag === 'string' || tag.tag !== `tag:yaml.org,2002:${name}`);
}

// Strings that need no forced quotes. The library still quotes those that look like numbers or keywords.
const safePlain = /^[\p{L}\p{N}._/(](?:[\p{L}\p{N} ._,/()+-]|:(?=\S))*$/u;

// Characters that PyYAML refuses or treats as line breaks. They only occur in double-quoted strings, where escapes are valid.
const unprintable = /[\u007f-\u009f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]/gu;

const floatTag: ScalarTag = {
  identify: (value) => typeof value === 'number' && !Number.isInteger(value),
  default: true,
  test: /^[-+]?[0-9]+\.[0-9]*(?:e[-+][0-9]+)?$/,
  tag: 'tag:yaml.org,2002:float',
  resolve: Number,
  stringify: ({ value }) => yamlFloat(Number(value)),
};

/** Prints Python's `2e-05` as `2.0e-05`, as PyYAML does, because PyYAML would read the former as a string. */
function yamlFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '.nan' : value > 0 ? '.inf' : '-.inf';
  return pythonNumber(value).replace(/^(-?\d+)e/, '$1.0e');
}

function requireUniqueKeys(document: Document.Parsed): void {
  visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>();
      for (const { key } of items) {
        const value = isScalar(key) ? key.value : key;
        if (keys.has(value)) throw new Error(`the key ${String(value)} is repeated`);
        keys.add(value);
      }
    },
  });
}

function isJson(value: unknown, levels: number): value is JsonValue {
  if (levels === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, levels - 1));
  if (typeof value !== 'object' || value === null)
    return value === null || ['string', 'number', 'boolean'].includes(typeof value);
  return (
    Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every((item) => isJson(item, levels - 1))
  );
}
