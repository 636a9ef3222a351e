import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { Document, parseDocument, Scalar, visit, type ScalarTag, type Tags } from 'yaml';
import { CorruptFile } from '../errors.js';
import { pythonNumber } from '@nautil/python-format';

const largestConfig = 4 << 20;

/** Reads a model_config.yaml as OmegaConf does: YAML 1.1 without timestamps. */
export function parseNemoYaml(bytes: Uint8Array, path: string): JsonObject {
  if (bytes.length > largestConfig) throw new CorruptFile(path, `a configuration of ${bytes.length} bytes`);
  let tree: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const document = parseDocument(text, {
      ...yaml11,
      customTags: (tags) => without('timestamp', tags),
      logLevel: 'silent',
    });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) throw problem;
    tree = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    // The parser recurses, so that a hostile nesting ends here as a RangeError.
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new CorruptFile(path, `is no YAML (${reason})`, { cause: error });
  }
  if (!isJsonObject(tree) || !isJson(tree)) throw new CorruptFile(path, 'is not a mapping of plain values');
  return tree;
}

/**
 * Writes a configuration so that PyYAML and OmegaConf read the same values: floats as Python prints them (PyYAML takes
 * `1e-7` for a string), strings in quotes wherever YAML 1.1 could see something else in them.
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

// The library quotes words and numbers among these where they would be read as something else.
const safePlain = /^[\p{L}\p{N}._/(](?:[\p{L}\p{N} ._,/()+-]|:(?=\S))*$/u;

// Characters that PyYAML takes for line breaks or refuses; they stand in double quotes by then.
const unprintable = /[\u007f-\u009f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]/gu;

const floatTag: ScalarTag = {
  identify: (value) => typeof value === 'number' && !Number.isInteger(value),
  default: true,
  test: /^[-+]?[0-9]+\.[0-9]*(?:e[-+][0-9]+)?$/,
  tag: 'tag:yaml.org,2002:float',
  resolve: Number,
  stringify: ({ value }) => yamlFloat(Number(value)),
};

/** PyYAML writes `2.0e-05` for Python's `2e-05`, which it would read as a string. */
function yamlFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? '.nan' : value > 0 ? '.inf' : '-.inf';
  return pythonNumber(value).replace(/^(-?\d+)e/, '$1.0e');
}

function isJson(value: unknown): value is JsonValue {
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== 'object' || value === null)
    return value === null || ['string', 'number', 'boolean'].includes(typeof value);
  return Object.getPrototypeOf(value) === Object.prototype && Object.values(value).every(isJson);
}
