import { readFile } from 'node:fs/promises';
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument } from 'yaml';
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
import { resolvePlainScalar } from './plain-scalar.js';

/** A parsed configuration file. */
export interface YamlFile {
  root: MapNode;

  /** The package in the header `# @package NAME`, if there is one. */
  packageHeader: string | undefined;
}

/**
 * Reads a configuration file.
 *
 * @param shownAs - the path of the file in messages
 * @throws ConfigError for invalid YAML, and for a file that is not a map
 */
export async function readYaml(path: string, shownAs: string, shipped: boolean): Promise<YamlFile> {
  return parseYaml(await readFile(path, 'utf8'), shownAs, shipped);
}

/** Parses the text of a configuration file. Every node has its line and column. */
function parseYaml(source: string, shownAs: string, shipped = false): YamlFile {
  const lines = new LineCounter();
  const at = (offset: number | undefined): FileOrigin => {
    const { line, col } = lines.linePos(offset ?? 0);
    return { kind: 'file', file: shownAs, line, column: col, shipped };
  };
  // The failsafe schema keeps every scalar as text; resolvePlainScalar then applies the rules of NeMo's loader.
  const document = parseDocument(source, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error) {
    const hint =
      error.code === 'DUPLICATE_KEY'
        ? ['keep one of them']
        : ['check for tabs in the indentation, and for unclosed quotes and brackets'];
    throw new ConfigError([
      { origin: at(error.pos[0]), message: `not valid YAML: ${error.message.split('\n')[0] ?? ''}`, hint },
    ]);
  }

  const read = (node: Node | null, fallback: number): ConfigNode => {
    const origin = at(node?.range?.[0] ?? fallback);
    if (node === null) return scalar(null, origin);
    if (isAlias(node)) {
      const target = node.resolve(document);
      if (!target) throw new ConfigError([{ origin, message: `the anchor &${node.source} is not defined` }]);
      return cloneNode(read(target, fallback));
    }
    if (isMap(node)) return readMap(node.items as Pair<Node, Node | null>[], origin);
    if (isSeq(node)) {
      return {
        kind: 'list',
        origin,
        items: (node.items as Node[]).map((item) => read(item, node.range?.[0] ?? fallback)),
      };
    }
    if (!isScalar(node))
      throw new ConfigError([{ origin, message: 'a configuration contains only maps, lists and scalars' }]);
    const written = typeof node.value === 'string' ? node.value : ''; // the failsafe schema has only strings
    if (node.type !== 'PLAIN') return scalar(written, origin);
    const plain = resolvePlainScalar(written);
    return scalar(plain.value, origin, plain.isFloat, plain.written);
  };

  const readMap = (pairs: Pair<Node, Node | null>[], origin: Origin): MapNode => {
    const map = emptyMap(origin);
    for (const pair of pairs) {
      const keyOrigin = at(pair.key.range?.[0]);
      if (!isScalar(pair.key)) throw new ConfigError([{ origin: keyOrigin, message: 'a key must be a scalar' }]);
      const key = String(pair.key.value);
      const value = read(pair.value, pair.key.range?.[1] ?? 0);
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
