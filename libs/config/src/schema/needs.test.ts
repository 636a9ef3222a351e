import { expect, test } from '@jest/globals';
import type { JsonValue } from '@nautil/contracts';
import { ConfigError } from '../config-error.js';
import { loadConfig } from '../load-config.js';
import { configSchema } from './config-schema.js';
import type { Need, Requirement } from './key.js';
import { leaves, schemaAt, type SchemaNode } from './lookup.js';
import { describeNeeds } from './needs.js';

const dependent = [...leaves(configSchema)].flatMap(({ path, node }) =>
  (node.needs ?? []).map((need, index) => ({ key: path.join('.'), node, need, index })),
);

/** Overrides without which a schedule or an optimizer is rejected. */
const companions: Readonly<Record<string, string[]>> = {
  'model.optim.dampening': ['model.optim.name=sgd', '~model.optim.betas'],
  'model.optim.sched.name=CyclicLR': [
    ...['~model.optim.sched', '++model.optim.sched.base_lr=1e-4', '++model.optim.sched.max_lr=1e-3'],
    '++model.optim.sched.cycle_momentum=false',
  ],
  'model.optim.sched.name=ReduceLROnPlateau': ['~model.optim.sched'],
  'model.optim.sched.name=T5InverseSquareRootAnnealing': [
    ...['~model.optim.sched', '++model.optim.sched.constant_steps=3'],
  ],
};

/** Values of keys whose type does not determine one that differs from the default. */
const values: Readonly<Record<string, string>> = {
  'model.language_model.config': '{model_type: bert}',
  'model.optim.sched.monitor': 'val_f1',
  'nautil.data.sha256': '0'.repeat(64),
  'nautil.data.validation_fraction': '0.2',
  'nautil.data.sample': 'first',
  'trainer.deterministic': 'false',
  'nautil.group.members': '[gpu-0:2222,gpu-1:2222]',
};

/** A value that the key accepts and that is not its default. */
function otherValue(key: string, node: SchemaNode): string {
  const known = values[key];
  if (known !== undefined) return known;
  const usual = node.default;
  if (typeof usual === 'boolean') return String(!usual);
  const word = node.enum?.find((option) => option !== usual);
  if (word !== undefined) return String(word);
  const takesText = JSON.stringify(node).includes('"string"');
  return takesText ? 'other' : key.includes('limit_') || key.endsWith('val_check_interval') ? '0.5' : '7';
}

function overridesFor(requirement: Requirement, isMet: boolean): string[] {
  const { key } = requirement;
  const usual = schemaAt(configSchema, key.split('.'))?.default ?? null;
  const value =
    'is' in requirement
      ? isMet
        ? requirement.is[0]
        : outside(requirement.is, usual)
      : isMet
        ? outside(requirement.isNot, usual)
        : requirement.isNot[0];
  const override = `${key}=${value === null ? 'null' : String(value)}`;
  return [...(companions[override] ?? []), `++${override}`];
}

function outside(excluded: readonly JsonValue[], usual: JsonValue): string | number | boolean | null {
  if (typeof excluded[0] === 'boolean') return !excluded[0];
  if (typeof usual !== 'object' && !excluded.includes(usual)) return usual;
  if (usual === null && !excluded.includes(null)) return null;
  return excluded.some((value) => typeof value === 'number') ? 5 : 'other';
}

/** The notes on the key, and the problems with it. */
async function messagesOn(key: string, overrides: string[]): Promise<string[]> {
  try {
    const { notes } = await loadConfig({ overrides });
    return notes.filter((note) => note.includes(`${key} has no effect: `)).map((note) => note.replace(/^.*?: /, ''));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ message }) => message);
  }
}

const contextOf = (key: string, node: SchemaNode, unmet?: Need): string[] => {
  const others = (node.needs ?? []).filter((need) => need !== unmet);
  const requirements = [
    ...others.flatMap((need) => overridesFor(need[0], true)),
    ...(unmet ?? []).flatMap((requirement) => overridesFor(requirement, false)),
  ];
  // A removal of a section must come before what is set in it.
  const all = [...(companions[key] ?? []), ...requirements];
  return [
    ...all.filter((override) => override.startsWith('~')),
    ...all.filter((override) => !override.startsWith('~')),
  ];
};

test.each(dependent.map(({ key, need, node }) => [key, describeNeeds([need]), node, need] as const))(
  '%s has a note, or is rejected by name, without its need of %s',
  async (key, needed, node, need) => {
    const overrides = [...contextOf(key, node, need), `++${key}=${otherValue(key, node)}`];
    expect(await messagesOn(key, overrides)).toEqual([`${key} has no effect: it needs ${needed}`]);
  },
);

test.each([...new Map(dependent.map(({ key, node }) => [key, node])).entries()])(
  '%s has no note when its needs are met',
  async (key, node) => {
    expect(await messagesOn(key, [...contextOf(key, node), `++${key}=${otherValue(key, node)}`])).toEqual([]);
  },
);

test('every need names a key of the schema, and a value that the key accepts', () => {
  const named = dependent.flatMap(({ need }) => need);
  expect(named.filter(({ key }) => schemaAt(configSchema, key.split('.'))?.affects === undefined)).toEqual([]);
  expect(dependent.length).toBeGreaterThan(50);
});

test.each(['trainer.limit_val_batches', 'trainer.limit_test_batches', 'trainer.val_check_interval'])(
  '%s=1, one batch, is not its default, 1.0',
  async (key) => {
    // Of a table, a part may become the validation data, so that the needs of these keys are known only after it is read.
    const format = 'nautil.data.format=nemo';
    expect(await messagesOn(key, [format, `++${key}=1`])).toHaveLength(1);
    expect(await messagesOn(key, [format, `++${key}=1.0`])).toEqual([]);
  },
);

test('a default of Nautil’s own files has no note', async () => {
  const { notes } = await loadConfig({ overrides: ['trainer=debug', 'model.optim.sched=null'] });
  expect(notes.filter((note) => note.includes('has no effect'))).toEqual([]);
});

test('a digest that nothing is compared with is an error, not a note', async () => {
  const digest = `nautil.data.sha256=${'0'.repeat(64)}`;
  await expect(loadConfig({ overrides: [digest] })).rejects.toThrow(/nautil.data.sha256 has no effect: it needs/);
  await expect(loadConfig({ overrides: [digest, 'nautil.data.source=a.zip'] })).resolves.toBeDefined();
});
