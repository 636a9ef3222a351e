import { pythonFloat } from '@nautil/python-format';
import { ConfigError } from './config-error.js';
import {
  cloneNode,
  type ConfigNode,
  type MapNode,
  missing,
  type Origin,
  scalar,
  type ScalarNode,
  select,
} from './config-node.js';
import { nearest } from './nearest.js';
import { type OverrideValue, parseOverrideValue } from './parse-override.js';

type Segment = { kind: 'text'; text: string } | { kind: 'reference'; body: Segment[] };

/**
 * Returns a copy of the tree in which every `${…}` is replaced: `${a.b}`, `${.sibling}`, `${oc.env:NAME,default}` and
 * `${oc.decode:…}`, also nested. A value that is a single reference takes the type of its target.
 *
 * @throws ConfigError for a reference to a key that does not exist, and for a circular one
 */
export function resolveInterpolations(root: MapNode, env: Readonly<Record<string, string | undefined>>): MapNode {
  return new Resolver(root, env).resolveTree();
}

class Resolver {
  private readonly root: MapNode;
  private readonly env: Readonly<Record<string, string | undefined>>;

  constructor(root: MapNode, env: Readonly<Record<string, string | undefined>>) {
    this.root = root;
    this.env = env;
  }

  resolveTree(): MapNode {
    const resolved = this.resolve(this.root, [], []);
    return resolved.kind === 'map' ? resolved : this.root;
  }

  private resolve(node: ConfigNode, path: string[], visiting: readonly string[]): ConfigNode {
    if (node.kind === 'map') {
      const entries = [...node.entries].map(
        ([key, value]) => [key, this.resolve(value, [...path, key], visiting)] as const,
      );
      return { ...node, entries: new Map(entries) };
    }
    if (node.kind === 'list') {
      return { ...node, items: node.items.map((item, index) => this.resolve(item, [...path, `${index}`], visiting)) };
    }
    if (typeof node.value !== 'string' || !node.value.includes('${')) return node;
    const segments = parseSegments(node.value, node.origin);
    const [only] = segments;
    if (segments.length === 1 && only?.kind === 'reference') {
      const target = this.reference(only.body, path, node.origin, visiting);
      return target.kind === 'scalar' ? { ...target, origin: node.origin } : target;
    }
    return scalar(this.join(segments, path, node.origin, visiting), node.origin);
  }

  private join(segments: readonly Segment[], path: string[], origin: Origin, visiting: readonly string[]): string {
    return segments
      .map((segment) =>
        segment.kind === 'text' ? segment.text : asText(this.reference(segment.body, path, origin, visiting), origin),
      )
      .join('');
  }

  private reference(body: readonly Segment[], path: string[], origin: Origin, visiting: readonly string[]): ConfigNode {
    const inner = this.join(body, path, origin, visiting).trim();
    const call = /^([a-zA-Z_][\w.]*):([^]*)$/.exec(inner);
    if (call) return this.callResolver(call[1] ?? '', call[2] ?? '', origin);

    const target = absolutePath(inner, path);
    const key = target.join('.');
    const fail = (message: string, hint?: string[]): ConfigError =>
      new ConfigError([{ origin, key: path.join('.'), message, hint }]);
    if (visiting.includes(key)) throw fail(`\${${inner}} refers to itself: ${[...visiting, key].join(' -> ')}`);
    const node = select(this.root, target);
    if (!node) {
      const siblings = select(this.root, target.slice(0, -1));
      const near = siblings?.kind === 'map' ? nearest(target.at(-1) ?? '', siblings.entries.keys()) : undefined;
      throw fail(
        `\${${inner}} refers to ${key}, which does not exist`,
        near === undefined ? undefined : [`did you mean \${${[...target.slice(0, -1), near].join('.')}}?`],
      );
    }
    if (node.kind === 'scalar' && node.value === missing)
      throw fail(`\${${inner}} refers to ${key}, which is not set (${missing})`);
    return cloneNode(this.resolve(node, target, [...visiting, key]));
  }

  private callResolver(name: string, body: string, origin: Origin): ScalarNode {
    if (name === 'oc.env') {
      const comma = body.indexOf(',');
      const variable = (comma < 0 ? body : body.slice(0, comma)).trim();
      const value = this.env[variable];
      if (value !== undefined) return scalar(value, origin);
      if (comma < 0) {
        throw new ConfigError([
          {
            origin,
            message: `the environment variable ${variable} is not set`,
            hint: [`set it, or write a default: \${oc.env:${variable},DEFAULT}`],
          },
        ]);
      }
      const fallback = parseOverrideValue(body.slice(comma + 1).trim());
      // OmegaConf converts every default except null to text, because the value of an environment variable is text.
      return scalar(
        fallback.kind === 'scalar' && fallback.value === null
          ? null
          : body
              .slice(comma + 1)
              .trim()
              .replace(/^(['"])(.*)\1$/, '$2'),
        origin,
      );
    }
    if (name === 'oc.decode') return decoded(unquoted(parseOverrideValue(body)), origin);
    throw new ConfigError([{ origin, message: `\${${name}:…} is not supported`, hint: ['use oc.env or oc.decode'] }]);
  }
}

/** `oc.decode` parses the content of quotes: `${oc.decode:'1e-5'}` is a number. */
const unquoted = (value: OverrideValue): OverrideValue =>
  value.kind === 'scalar' && typeof value.value === 'string' ? parseOverrideValue(value.value) : value;

function decoded(value: OverrideValue, origin: Origin): ScalarNode {
  if (value.kind === 'scalar') return scalar(value.value, origin, value.isFloat, value.written);
  throw new ConfigError([
    { origin, message: '${oc.decode:…} is supported for single values only', hint: ['write the list or map itself'] },
  ]);
}

/** Resolves a reference: `a.b[0]` from the root, `.a` from the section of the value, and one level up for each further dot. */
function absolutePath(reference: string, path: readonly string[]): string[] {
  const dots = /^\.*/.exec(reference)?.[0].length ?? 0;
  const base = dots === 0 ? [] : path.slice(0, path.length - dots);
  const keys = reference
    .slice(dots)
    .replace(/\[([^\]]+)\]/g, '.$1')
    .split('.')
    .filter((key) => key !== '');
  return [...base, ...keys];
}

/** Splits a text into literals and references; `\${` is a literal `${`. */
function parseSegments(text: string, origin: Origin): Segment[] {
  let at = 0;
  const parse = (nested: boolean): Segment[] => {
    const segments: Segment[] = [];
    let literal = '';
    const flush = (): void => {
      if (literal !== '') segments.push({ kind: 'text', text: literal });
      literal = '';
    };
    while (at < text.length) {
      if (text.startsWith('\\${', at)) {
        literal += '${';
        at += 3;
      } else if (text.startsWith('${', at)) {
        flush();
        at += 2;
        segments.push({ kind: 'reference', body: parse(true) });
      } else if (nested && text[at] === '}') {
        flush();
        at++;
        return segments;
      } else {
        literal += text[at] ?? '';
        at++;
      }
    }
    if (nested)
      throw new ConfigError([
        { origin, message: `\${ is not closed in ${text}`, hint: ['write \\${ for a literal ${'] },
      ]);
    flush();
    return segments;
  };
  return parse(false);
}

// OmegaConf inserts Python's str() of the value.
function asText(node: ConfigNode, origin: Origin): string {
  if (node.kind !== 'scalar')
    throw new ConfigError([{ origin, message: "a list or a section can't be part of a text" }]);
  const { value } = node;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' && node.isFloat) return pythonFloat(value);
  return String(value);
}
