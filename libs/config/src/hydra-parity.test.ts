import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { applyOverride } from './apply-override.js';
import { compose } from './compose.js';
import { type ConfigNode, type MapNode, type Origin, scalar } from './config-node.js';
import { ConfigSearchPath } from './config-search-path.js';
import { isSweep, type OverrideValue, parseOverride, type SweepSpec } from './parse-override.js';
import { resolvePlainScalar } from './plain-scalar.js';
import { printYaml } from './print-yaml.js';
import { resolveInterpolations } from './resolve-interpolations.js';
import { rangeValues } from './sweep.js';

/** A value in the encoding of oracle/record.py, which keeps types that JSON does not have. */
type Encoded =
  | { null: true }
  | { bool: boolean }
  | { int: number }
  | { float: string }
  | { str: string; quoted?: true }
  | { list: Encoded[] }
  | { map: [Encoded, Encoded][] }
  | { choice: Encoded[]; simple: boolean }
  | { range: number[] }
  | { interval: [number, number]; tags: string[] }
  | { glob: string[] };

interface OverrideCase {
  input: string;
  error?: string;
  type: string;
  key: string;
  package: string | null;
  value: Encoded | null;
}

const oracle = join(import.meta.dirname, '../oracle');
const recorded = <T>(name: string): T[] => JSON.parse(readFileSync(join(oracle, name), 'utf8')) as T[];
const origin: Origin = { kind: 'override', number: 1, text: '' };

const float = (text: string): number => Number(text.replace('inf', 'Infinity').replace('nan', 'NaN'));

function decode(value: Encoded): ConfigNode {
  if ('null' in value) return scalar(null, origin);
  if ('bool' in value) return scalar(value.bool, origin);
  if ('int' in value) return scalar(value.int, origin);
  if ('float' in value) return scalar(float(value.float), origin, true);
  if ('str' in value) return scalar(value.str, origin);
  if ('list' in value) return { kind: 'list', items: value.list.map(decode), origin };
  if (!('map' in value)) throw new Error('a sweep is not a value');
  const entries = value.map.map(([key, item]) => [keyText(key), decode(item)] as const);
  return { kind: 'map', entries: new Map(entries), keyOrigins: new Map(), origin };
}

function keyText(key: Encoded): string {
  const node = decode(key);
  if (node.kind !== 'scalar') throw new Error('a key is a scalar');
  return String(node.value);
}

/** Encodes a parsed value as the oracle does. */
function encode(value: OverrideValue | SweepSpec | undefined): unknown {
  if (value === undefined) return null;
  if (isSweep(value)) {
    if (value.kind === 'choice') return { choice: value.options.map(encode), simple: value.short };
    if (value.kind === 'range') return { range: rangeValues(value, 'k') };
    return { interval: [value.start, value.end], tags: value.log ? ['log'] : [] };
  }
  if (value.kind === 'list') return { list: value.items.map(encode) };
  if (value.kind === 'map') return { map: value.entries.map(([key, item]) => [key, encode(item)]) };
  if (value.value === null) return { null: true };
  if (typeof value.value === 'boolean') return { bool: value.value };
  if (typeof value.value === 'string') return { str: value.value, ...(value.quoted ? { quoted: true } : {}) };
  return value.isFloat ? { float: value.value } : { int: value.value };
}

/** The oracle's value without the details that Nautil does not keep: the types of a map's keys, and the spelling of a float. */
function comparable(value: Encoded | null): unknown {
  if (value === null) return null;
  if ('float' in value) return { float: float(value.float) };
  if ('list' in value) return { list: value.list.map(comparable) };
  if ('map' in value) {
    const entries = new Map(value.map.map(([key, item]) => [keyText(key), comparable(item)]));
    return { map: [...entries] };
  }
  if ('choice' in value) return { choice: value.choice.map(comparable), simple: value.simple };
  return value;
}

const types: Record<string, string> = { CHANGE: 'change', ADD: 'add', FORCE_ADD: 'force-add', DEL: 'delete' };

/** Overrides that Hydra accepts and this grammar does not. */
const unsupportedHere = new Set(['k=glob(*)', 'k=[choice(a,b)]', 'k=choice(a,b),c', 'k=range(1,2),range(3,4)']);

describe('overrides as Hydra 1.3.2 parses them', () => {
  const cases = recorded<OverrideCase>('overrides.json');

  test.each(
    cases.filter((recordedCase) => recordedCase.error === undefined && !unsupportedHere.has(recordedCase.input)),
  )('$input', (expected) => {
    const ours = parseOverride(expected.input);
    expect({ type: ours.type, key: ours.key, package: ours.package ?? null, value: encode(ours.value) }).toEqual({
      type: types[expected.type],
      key: expected.key,
      package: expected.package,
      value: comparable(expected.value),
    });
  });

  test.each(
    cases.filter((recordedCase) => recordedCase.error !== undefined || unsupportedHere.has(recordedCase.input)),
  )('$input is rejected', ({ input }) => {
    expect(() => parseOverride(input)).toThrow();
  });
});

test.each(recorded<{ input: string; value: Encoded }>('scalars.json'))(
  'YAML $input has the value that OmegaConf reads',
  ({ input, value }) => {
    const { value: ours, isFloat } = resolvePlainScalar(input);
    expect({ ours, isFloat }).toEqual(
      'float' in value
        ? { ours: float(value.float), isFloat: true }
        : {
            ours: Object.values(value)[0] === true && 'null' in value ? null : Object.values(value)[0],
            isFloat: false,
          },
    );
  },
);

test.each(recorded<{ tree: Encoded; text: string }>('printed.json'))(
  'a tree is printed exactly as by OmegaConf',
  ({ tree, text }) => {
    expect(printYaml(decode(tree))).toBe(text);
  },
);

interface InterpolationCase {
  tree: Encoded;
  value?: Encoded;
  error?: string;
}

test.each(recorded<InterpolationCase>('interpolations.json'))(
  '$tree is interpolated as by OmegaConf',
  ({ tree, value }) => {
    const root = decode(tree) as MapNode;
    const env = { NAUTIL_ORACLE: 'from the environment', NAUTIL_NUMBER: '1e-5' };
    if (value === undefined) expect(() => resolveInterpolations(root, { values: env })).toThrow();
    else expect(printYaml(resolveInterpolations(root, { values: env }))).toBe(printYaml(decode(value)));
  },
);

interface ComposedCase {
  name: string;
  overrides: string[];
  text?: string;
  error?: string;
}

async function composed(name: string, overrides: readonly string[]): Promise<string> {
  const search = new ConfigSearchPath([join(oracle, 'conf')], oracle);
  const parsed = overrides.map((text, index) => parseOverride(text, index + 1));
  const { root } = await compose(
    search,
    name,
    parsed.filter((override) => search.isGroup(override.key)),
  );
  for (const override of parsed) if (!search.isGroup(override.key)) applyOverride(root, override);
  return printYaml(root);
}

/** Hydra rejects an override of a key that no file sets. Nautil composes it, since the schema decides whether the key is known. */
const leftToTheSchema = new Set(['prot=1', 'nested.deep.q=1', 'nested={deep:{z:3}}', '~items.1', 'hydra.run.dir=.']);
const isLeftToTheSchema = ({ overrides }: ComposedCase): boolean => overrides.some((text) => leftToTheSchema.has(text));

describe('configurations as Hydra 1.3.2 composes them', () => {
  const cases = recorded<ComposedCase>('composed.json').filter((recordedCase) => !isLeftToTheSchema(recordedCase));

  test.each(cases.filter((recordedCase) => recordedCase.error === undefined))(
    '$name $overrides',
    async ({ name, overrides, text }) => {
      expect(await composed(name, overrides)).toBe(text);
    },
  );

  test.each(cases.filter((recordedCase) => recordedCase.error !== undefined))(
    '$name $overrides is rejected',
    async ({ name, overrides }) => {
      await expect(composed(name, overrides)).rejects.toThrow();
    },
  );
});
