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

/** Each reference is resolved anew, and a text or a list that refers to another twice doubles it. */
const mostSteps = 100_000;
const mostCharacters = 1 << 20;
const deepest = 100;

type Segment = { kind: 'text'; text: string } | { kind: 'reference'; body: Segment[] };

/** The environment that a configuration may read. */
export interface ReadableEnvironment {
  values: Readonly<Record<string, string | undefined>>;

  /** Names of the variables that may be read; undefined: all of them. */
  allowed?: readonly string[] | undefined;
}

/** A text whose references are replaced. */
interface Joined {
  text: string;

  /** The text with the references to the environment as they were written; undefined without any. */
  shown?: string | undefined;
}

/**
 * Returns a copy of the tree in which every `${…}` is replaced: `${a.b}`, `${.sibling}`, `${oc.env:NAME,default}` and
 * `${oc.decode:…}`, also nested. A value that is a single reference takes the type of its target. A value that depends on the
 * environment records how to show it.
 *
 * @param onRead - called with the name of each variable that is read, set or not
 * @throws ConfigError for a reference to a key that does not exist, for a circular one, and for a variable that may not be read
 */
export function resolveInterpolations(
  root: MapNode,
  environment: ReadableEnvironment,
  onRead: (name: string) => void = () => undefined,
): MapNode {
  return new Resolver(root, environment, onRead).resolveTree();
}

/** A literal text as a part of an interpolated one. */
export const escapeReferences = (text: string): string => text.replaceAll('${', '\\${');

class Resolver {
  private readonly root: MapNode;
  private readonly environment: ReadableEnvironment;
  private readonly onRead: (name: string) => void;
  private steps = 0;
  private characters = 0;

  constructor(root: MapNode, environment: ReadableEnvironment, onRead: (name: string) => void) {
    this.root = root;
    this.environment = environment;
    this.onRead = onRead;
  }

  resolveTree(): MapNode {
    const resolved = this.resolve(this.root, [], []);
    return resolved.kind === 'map' ? resolved : this.root;
  }

  private resolve(node: ConfigNode, path: string[], visiting: readonly string[]): ConfigNode {
    if (++this.steps > mostSteps) {
      throw new ConfigError([
        { origin: node.origin, message: `the references \${…} need more than ${mostSteps} steps`, hint: growthHint },
      ]);
    }
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
    const { text, shown } = this.join(segments, path, node.origin, visiting);
    return withShown(scalar(text, node.origin), shown);
  }

  private join(segments: readonly Segment[], path: string[], origin: Origin, visiting: readonly string[]): Joined {
    const parts = segments.map((segment): Joined => {
      if (segment.kind === 'text') return { text: this.counted(segment.text, origin) };
      const node = this.reference(segment.body, path, origin, visiting);
      return {
        text: this.counted(asText(node, origin), origin),
        shown: node.kind === 'scalar' ? node.shown : undefined,
      };
    });
    return {
      text: parts.map(({ text }) => text).join(''),
      shown: parts.some(({ shown }) => shown !== undefined)
        ? parts.map(({ text, shown }) => shown ?? escapeReferences(text)).join('')
        : undefined,
    };
  }

  private counted(text: string, origin: Origin): string {
    this.characters += text.length;
    if (this.characters <= mostCharacters) return text;
    throw new ConfigError([
      {
        origin,
        message: `the references \${…} make a text of more than ${mostCharacters} characters`,
        hint: growthHint,
      },
    ]);
  }

  private reference(body: readonly Segment[], path: string[], origin: Origin, visiting: readonly string[]): ConfigNode {
    const joined = this.join(body, path, origin, visiting);
    const inner = joined.text.trim();
    const shown = joined.shown?.trim();
    const call = /^([a-zA-Z_][\w.]*):([^]*)$/.exec(inner);
    if (call) return this.callResolver(call[1] ?? '', call[2] ?? '', shown, origin);

    const target = absolutePath(inner, path);
    const key = target.join('.');
    const named = shown ?? inner;
    const fail = (message: string, hint?: string[]): ConfigError =>
      new ConfigError([{ origin, key: path.join('.'), message: `\${${named}} ${message}`, hint }]);
    if (visiting.includes(key)) throw fail(`refers to itself: ${[...visiting, key].join(' -> ')}`);
    if (visiting.length > deepest) throw fail(`is the last of more than ${deepest} references in a row`);
    const node = select(this.root, target);
    if (!node) {
      if (shown !== undefined) throw fail('refers to a key that does not exist');
      const siblings = select(this.root, target.slice(0, -1));
      const near = siblings?.kind === 'map' ? nearest(target.at(-1) ?? '', siblings.entries.keys()) : undefined;
      throw fail(
        `refers to ${key}, which does not exist`,
        near === undefined ? undefined : [`did you mean \${${[...target.slice(0, -1), near].join('.')}}?`],
      );
    }
    if (node.kind === 'scalar' && node.value === missing) throw fail(`refers to ${key}, which is not set (${missing})`);
    const found = cloneNode(this.resolve(node, target, [...visiting, key]));
    // Which key the environment names is its value, too.
    return shown === undefined || found.kind !== 'scalar' ? found : withShown(found, `\${${fromRoot(shown, path)}}`);
  }

  /** @param shown - the whole call as it is shown, if it depends on the environment */
  private callResolver(name: string, body: string, shown: string | undefined, origin: Origin): ScalarNode {
    const asShown = shown === undefined ? undefined : `\${${shown}}`;
    if (name === 'oc.env') {
      const comma = body.indexOf(',');
      const variable = (comma < 0 ? body : body.slice(0, comma)).trim();
      const value = this.readVariable(variable, asShown, origin);
      if (value !== undefined) return withShown(scalar(value, origin), asShown ?? `\${${name}:${body}}`);
      if (comma < 0) {
        throw new ConfigError([
          {
            origin,
            message: `the environment variable ${asShown ?? variable} is not set`,
            hint: [`set it, or write a default: \${oc.env:${asShown ?? variable},DEFAULT}`],
          },
        ]);
      }
      const fallback = parseOverrideValue(body.slice(comma + 1).trim());
      // OmegaConf converts every default except null to text, because the value of an environment variable is text.
      const text = scalar(
        fallback.kind === 'scalar' && fallback.value === null
          ? null
          : body
              .slice(comma + 1)
              .trim()
              .replace(/^(['"])(.*)\1$/, '$2'),
        origin,
      );
      return withShown(text, asShown);
    }
    if (name === 'oc.decode') {
      if (asShown === undefined) return decoded(unquoted(parseOverrideValue(body)), origin);
      try {
        return withShown(decoded(unquoted(parseOverrideValue(body)), origin), asShown);
      } catch {
        // The error of the parser contains the value.
        throw new ConfigError([{ origin, message: `the value of ${asShown} is not a single value` }]);
      }
    }
    throw new ConfigError([{ origin, message: `\${${name}:…} is not supported`, hint: ['use oc.env or oc.decode'] }]);
  }

  private readVariable(variable: string, asShown: string | undefined, origin: Origin): string | undefined {
    const { values, allowed } = this.environment;
    const named = asShown ?? `\${oc.env:${variable}}`;
    // Whether or not it is set: otherwise, a run could find out which variables a worker has.
    if (allowed !== undefined && !allowed.includes(variable)) {
      throw new ConfigError([
        {
          origin,
          message: `this worker does not read ${named} for a run`,
          hint: [
            asShown === undefined
              ? `start the worker with NAUTIL_ENV_ALLOWED=${variable} (a list of names with commas), or write the value itself`
              : 'start the worker with NAUTIL_ENV_ALLOWED, a list of names with commas, or write the value itself',
          ],
        },
      ]);
    }
    this.onRead(variable);
    return Object.hasOwn(values, variable) ? values[variable] : undefined;
  }
}

const withShown = (node: ScalarNode, shown: string | undefined): ScalarNode =>
  shown === undefined ? node : { ...node, shown };

/** A reference that reads the same key from anywhere: `.a` becomes `section.a`. */
function fromRoot(reference: string, path: readonly string[]): string {
  const dots = /^\.*/.exec(reference)?.[0].length ?? 0;
  return dots === 0 ? reference : [...path.slice(0, path.length - dots), reference.slice(dots)].join('.');
}

const growthHint = ['refer to a key that has a value of its own'];

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
  const parse = (depth: number): Segment[] => {
    if (depth > deepest)
      throw new ConfigError([{ origin, message: `\${ is nested more than ${deepest} levels deep`, hint: growthHint }]);
    const nested = depth > 0;
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
        segments.push({ kind: 'reference', body: parse(depth + 1) });
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
  return parse(0);
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
