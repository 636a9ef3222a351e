import { stat } from 'node:fs/promises';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type Scalar } from 'yaml';
import { withinYamlBounds } from '@nautil/contracts/schemas';
import { readWholeFile } from '@nautil/store/streams';
import { ConfigError } from './config-error.js';
import {
  cloneNode,
  type ConfigNode,
  emptyMap,
  type FileOrigin,
  type MapNode,
  type Origin,
  put,
  scalar,
} from './config-node.js';
import { numberScalar, type PlainScalar, resolvePlainScalar } from './plain-scalar.js';

/** A parsed configuration file. */
export interface YamlFile {
  root: MapNode;

  /** The package in the header `# @package NAME`, if there is one. */
  packageHeader: string | undefined;
}

/** A configuration has a few hundred lines. Larger files take the parser seconds and hundreds of megabytes. */
const largestFile = 1 << 20;

/** The values of a file, with those that its aliases repeat. Nine aliases of ten aliases make a billion. */
const mostValues = 100_000;

const deepest = 100;

/**
 * Reads a configuration file.
 *
 * @param shownAs - the path of the file in messages
 * @throws ConfigError for invalid YAML, and for a file that is not a map
 */
export async function readYaml(path: string, shownAs: string, shipped: boolean): Promise<YamlFile> {
  const { size } = await stat(path);
  if (size > largestFile) {
    throw new ConfigError([
      {
        message: `${shownAs}: a configuration file has at most ${largestFile} bytes, and this one has ${size}`,
        hint: ['check that this is the right file'],
      },
    ]);
  }
  return parseYaml((await readWholeFile(path)).toString('utf8'), shownAs, shipped);
}

/** Parses the text of a configuration file. Every node has its line and column. */
function parseYaml(source: string, shownAs: string, shipped = false): YamlFile {
  const lines = new LineCounter();
  const at = (offset: number | undefined): FileOrigin => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { kind: 'file', file: shownAs, line, column: col, shipped };
  };
  // The failsafe schema keeps every scalar as text; resolvePlainScalar then applies the rules of NeMo's loader.
  // The library compares each key with all others of its map; `readMap` below looks it up.
  const document = parseOrFail(shownAs, () =>
    withinYamlBounds(source, (text) =>
      parseDocument(text, {
        schema: 'failsafe',
        lineCounter: lines,
        prettyErrors: false,
        uniqueKeys: false,
        logLevel: 'error', // `requireTag` below reports tags
      }),
    ),
  );
  const [error] = document.errors;
  if (error) {
    throw new ConfigError([
      {
        origin: at(error.pos[0]),
        message: `not valid YAML: ${error.message.split('\n')[0] ?? ''}`,
        hint: ['check for tabs in the indentation, and for unclosed quotes and brackets'],
      },
    ]);
  }

  const anchors = new Map<string, ConfigNode>();
  let values = 0;
  const count = (more: number, origin: Origin): void => {
    values += more;
    if (values > mostValues) {
      throw new ConfigError([
        {
          origin,
          message: `the file has more than ${mostValues} values, counting those that its aliases repeat`,
          hint: ['write fewer aliases of aliases'],
        },
      ]);
    }
  };

  const read = (node: Node | null, fallback: number, depth = 0): ConfigNode => {
    const origin = at(node?.range?.[0] ?? fallback);
    count(1, origin);
    if (depth > deepest) {
      throw new ConfigError([
        { origin, message: `nested more than ${deepest} levels deep`, hint: ['check for unclosed brackets'] },
      ]);
    }
    if (node === null) return scalar(null, origin);
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (!target) throw new ConfigError([{ origin, message: `the anchor &${node.source} is not defined` }]);
      count(sizeOf(target), origin);
      return cloneNode(target);
    }
    const found = readContent(node, origin, fallback, depth);
    // Set after its content was read, which therefore can't contain an alias of it.
    if (node.anchor !== undefined) anchors.set(node.anchor, found);
    return found;
  };

  const readContent = (node: Node, origin: FileOrigin, fallback: number, depth: number): ConfigNode => {
    requireTag(node, origin);
    if (isMap(node)) return readMap(node.items as Pair<Node, Node | null>[], origin, depth);
    if (isSeq(node)) {
      return {
        kind: 'list',
        origin,
        items: (node.items as Node[]).map((item) => read(item, node.range?.[0] ?? fallback, depth + 1)),
      };
    }
    if (!isScalar(node))
      throw new ConfigError([{ origin, message: 'a configuration contains only maps, lists and scalars' }]);
    const { value, isFloat, written } = taggedValue(node, origin);
    return scalar(value, origin, isFloat, written);
  };

  const readMap = (pairs: Pair<Node, Node | null>[], origin: Origin, depth: number): MapNode => {
    const written = new Set<string>();
    const map = emptyMap(origin);
    for (const pair of pairs) {
      const keyOrigin = at(pair.key.range?.[0]);
      if (!isScalar(pair.key)) throw new ConfigError([{ origin: keyOrigin, message: 'a key must be a scalar' }]);
      requireTag(pair.key, keyOrigin);
      const key = textOf(pair.key);
      if (written.has(key)) {
        throw new ConfigError([
          { origin: keyOrigin, message: 'not valid YAML: Map keys must be unique', hint: ['keep one of them'] },
        ]);
      }
      written.add(key);
      const value = read(pair.value, pair.key.range?.[1] ?? 0, depth + 1);
      if (key === '<<') mergeAnchors(map, value, keyOrigin);
      else put(map, key, value, keyOrigin);
    }
    return map;
  };

  const root = read(document.contents, 0);
  const map = root.kind === 'scalar' && root.value === null ? emptyMap(root.origin) : root;
  if (map.kind !== 'map') {
    throw new ConfigError([
      { origin: map.origin, message: 'a configuration file must contain keys and values (a: 1)' },
    ]);
  }
  return { root: map, packageHeader: /^#\s*@package\s+(\S+)\s*$/m.exec(leadingComments(source))?.[1] };
}

/** The parser is recursive, so that a file of a million brackets ends its recursion. */
function parseOrFail<T>(shownAs: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new ConfigError([
        {
          message: `${shownAs}: a configuration file cannot be so large: ${error.message}`,
          hint: ['check that this is the right file'],
        },
      ]);
    }
    if (!(error instanceof RangeError)) throw error;
    throw new ConfigError([{ message: 'not valid YAML: nested too deeply', hint: ['check for unclosed brackets'] }]);
  }
}

const standardTag = 'tag:yaml.org,2002:';

/** Of a value without a tag, and of the tags of YAML that OmegaConf reads as plain values. `!` stands for text. */
const knownTags = [
  undefined,
  '!',
  ...['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => standardTag + name),
];

/** A tag asks for a conversion or an object. NeMo's loader fails for those it doesn't know; a value without them may be wrong. */
function requireTag({ tag }: Node, origin: Origin): void {
  if (knownTags.includes(tag)) return;
  const shown = tag?.startsWith(standardTag) ? `!!${tag.slice(standardTag.length)}` : (tag ?? '');
  throw new ConfigError([
    { origin, message: `the tag ${shown} is not supported`, hint: ['write the value without a tag'] },
  ]);
}

/** The text of a scalar, which the library has converted if it has a tag such as !!int. */
const textOf = ({ value, source }: Scalar): string => (typeof value === 'string' ? value : (source ?? ''));

function taggedValue(node: Scalar, origin: Origin): PlainScalar {
  const written = textOf(node);
  const type = node.tag?.slice(standardTag.length);
  if (type === undefined && node.type === 'PLAIN') return resolvePlainScalar(written);
  if (type === undefined || type === '' || type === 'str') return { value: written, isFloat: false };
  const plain = resolvePlainScalar(written);
  if (type === 'float' && typeof plain.value === 'number') return numberScalar(written, plain.value, true);
  const found = typeof plain.value === 'number' && !plain.isFloat ? 'int' : plain.value === null ? 'null' : 'bool';
  if (typeof plain.value !== 'string' && !plain.isFloat && found === type) return plain;
  throw new ConfigError([{ origin, message: `${JSON.stringify(written)} is not a value of the tag !!${type}` }]);
}

/** The number of values in a node, itself included. */
function sizeOf(node: ConfigNode): number {
  if (node.kind === 'scalar') return 1;
  let size = 1;
  for (const inner of node.kind === 'list' ? node.items : node.entries.values()) size += sizeOf(inner);
  return size;
}

// `<<: *defaults` adds the keys that the map lacks, whatever its position in the map.
function mergeAnchors(map: MapNode, value: ConfigNode, origin: Origin): void {
  const sources = value.kind === 'list' ? value.items : [value];
  for (const source of sources) {
    if (source.kind !== 'map') throw new ConfigError([{ origin, message: '<< takes a map or a list of maps' }]);
    for (const [key, inner] of source.entries) {
      if (!map.entries.has(key)) put(map, key, inner, source.keyOrigins.get(key));
    }
  }
}

function leadingComments(source: string): string {
  return /^(?:\s*(?:#.*)?(?:\r?\n|$))*/.exec(source)?.[0] ?? '';
}
