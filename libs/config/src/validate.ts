import { Ajv, type ErrorObject } from 'ajv';
import { isJsonObject, isUnsupportedTokenizer, type JsonValue, parseMemberAddress } from '@nautil/contracts';
import type { Problem } from './config-error.js';
import {
  type ConfigNode,
  isShipped,
  type MapNode,
  missing,
  type Origin,
  select,
  showOrigin,
  toPlain,
  walk,
} from './config-node.js';
import { nearest } from './nearest.js';
import { configSchema } from './schema/config-schema.js';
import { type KeyNotes, ownKeywords } from './schema/key.js';
import { describeType, fillDefaults, leaves, schemaAt, type SchemaNode } from './schema/lookup.js';
import { describeNeeds, unmetNeeds } from './schema/needs.js';
import { type OptimizerName, optimizers } from './schema/optimizers.js';
import { scheduleKeys } from './schema/schedules.js';

/** The problems of a composed and resolved configuration, and notes for the user. */
export interface Validation {
  problems: Problem[];
  notes: string[];
}

const ajv = new Ajv({
  allErrors: true,
  allowUnionTypes: true,
  strictTuples: false,
  verbose: true,
  // See json-parser.ts in contracts.
  validateSchema: false,
  code: { optimize: false },
});
for (const keyword of ownKeywords) if (keyword !== 'unsupported') ajv.addKeyword(keyword);
ajv.addKeyword({
  keyword: 'unsupported',
  validate: ({ accepted }: NonNullable<KeyNotes['unsupported']>, value: JsonValue) =>
    accepted.some((option) => same(option, value)),
});
const conforms = ajv.compile(configSchema);

/**
 * Checks a configuration against the schema, and the rules that involve several keys: which keys the optimizer or the schedule
 * takes, and which values exclude each other. Changes `root` in place: removes the user's own variables, the lower-priority one
 * of warm-up steps and warm-up ratio, and shipped values that the chosen optimizer or schedule does not take.
 */
export function validate(root: MapNode): Validation {
  const notes = [...ownVariables(root), ...settleWarmup(root)];
  dropForeignDefaults(root);
  const open = [...openValues(root)];
  const openKeys = new Set(open.map(({ problem }) => problem.key));
  const problems = open
    .filter(({ counted }) => !counted)
    .map(({ problem }) => problem)
    .concat(schemaProblems(root).filter(({ key = '' }) => !openKeys.has(key)));
  const wrong = new Set(problems.map(({ key }) => key));
  const ineffective = [...givenWithoutEffect(root)];
  for (const problem of [
    ...tooLargeNumbers(root),
    ...optimProblems(root),
    ...trainerProblems(root),
    ...lengthProblems(root),
    ...tokenizerProblems(root),
    ...memberProblems(root),
    ...unmetProblems(ineffective),
  ]) {
    if (!wrong.has(problem.key)) problems.push(problem);
  }
  return { problems, notes: [...notes, ...noEffectNotes(ineffective)] };
}

function schemaProblems(root: MapNode): Problem[] {
  if (conforms(toPlain(root))) return [];
  const found = new Map<string, Problem>();
  for (const error of conforms.errors ?? []) {
    const problem = error.keyword === 'additionalProperties' ? unknownKey(root, error) : wrongValue(root, error);
    const key = problem.key ?? '';
    if (!found.has(key) || error.keyword === 'unsupported') found.set(key, problem);
  }
  return [...found.values()];
}

/** Whole numbers that would be rounded. Hydra has no limit for them. */
function tooLargeNumbers(root: MapNode): Problem[] {
  return [...walk(root)].flatMap(({ path, node }) => {
    if (node.kind !== 'scalar' || node.written === undefined || node.isFloat) return [];
    const key = path.join('.');
    const message = `${key} is ${asWritten(node)}; the largest whole number is ${Number.MAX_SAFE_INTEGER}`;
    return [{ origin: node.origin, key, message }];
  });
}

function unknownKey(root: MapNode, error: ErrorObject): Problem {
  const section = pathOf(error);
  const name = (error.params as { additionalProperty: string }).additionalProperty;
  const key = [...section, name].join('.');
  const holder = select(root, section);
  const origin = holder?.kind === 'map' ? holder.keyOrigins.get(name) : undefined;
  const place = section.join('.');
  return {
    origin: origin ?? holder?.origin,
    key,
    message: `${key} is not a known key`,
    hint: [...suggestion(root, section, name), `\`npx nautil config explain${place && ` ${place}`}\` lists the keys`],
  };
}

/** Suggests a sibling with a similar name, or else a key of the same name in another section. */
function suggestion(root: MapNode, section: string[], name: string): string[] {
  const siblings = Object.keys(schemaAt(configSchema, section)?.properties ?? {});
  const near = nearest(name, siblings);
  if (near !== undefined) {
    const now = select(root, [...section, near]);
    const value = now && now.kind !== 'map' ? ` (now ${shown(toPlain(now))})` : '';
    return [`did you mean ${near}${value}?`];
  }
  const elsewhere = [...leaves(configSchema)].find(({ path }) => path.at(-1) === name);
  return elsewhere ? [`did you mean ${elsewhere.path.join('.')}?`] : [];
}

/** Reports a wrong value. An error inside a list or an alternative is reported for the key that contains it. */
function wrongValue(root: MapNode, error: ErrorObject): Problem {
  let path = pathOf(error);
  while (path.length > 0 && schemaAt(configSchema, path) === undefined) path = path.slice(0, -1);
  const key = path.join('.');
  const node = schemaAt(configSchema, path) ?? {};
  const at = select(root, path);
  const value = at ? toPlain(at) : null;
  const wanted = node.properties ? 'a section with keys of its own' : describeType(node);
  const { accepted, instead } = node.unsupported ?? {};
  // Names that NeMo has and Nautil does not support are not typing mistakes, so they get no suggestion.
  const isName = typeof value === 'string' && !words(node).includes(value);
  const near = isName ? nearest(value, accepted ? accepted.map(String) : words(node)) : undefined;
  const isUnsupported = accepted !== undefined && !accepted.some((option) => same(option, value));
  const advice = isUnsupported && instead !== undefined ? [instead] : [];
  const hint = near === undefined ? advice : [`did you mean ${near}?`];
  return {
    origin: at?.origin,
    key,
    message: `${key} is ${at ? asWritten(at) : shown(value)}; it must be ${wanted}`,
    hint: [...hint, `\`npx nautil config explain ${key}\` describes it`],
  };
}

function words(node: SchemaNode): string[] {
  return [...(node.enum ?? []).map(String), ...(node.anyOf ?? []).flatMap(words)];
}

/** Values left as `???`. `counted` marks keys whose value Nautil determines from the data, like the number of classes. */
function* openValues(root: MapNode): Generator<{ problem: Problem; counted: boolean }> {
  for (const { path, node } of walk(root)) {
    if (node.kind !== 'scalar' || node.value !== missing) continue;
    const key = path.join('.');
    const { default: usual, description } = schemaAt(configSchema, path) ?? {};
    const problem: Problem = {
      origin: node.origin,
      key,
      message: `${key} must be set`,
      hint: [`add ${key}=VALUE${description === undefined ? '' : `: ${description.replace(/\.$/, '')}`}`],
    };
    yield { problem, counted: usual === missing };
  }
}

/** Removes unknown scalars at the top level of a file: NeMo's files define variables for `${…}` there, which Hydra accepts. */
function ownVariables(root: MapNode): string[] {
  const notes: string[] = [];
  for (const [name, node] of [...root.entries]) {
    const known = Object.keys(configSchema.properties);
    if (known.includes(name) || node.kind !== 'scalar' || node.origin.kind !== 'file') continue;
    if (nearest(name, known) !== undefined) continue;
    root.entries.delete(name);
    notes.push(`${showOrigin(node.origin)}: ${name} is not a known key; it can only be used as \${${name}}`);
  }
  return notes;
}

/** NeMo allows either steps or a ratio. Where both are set, the one from the source with the higher priority stays. */
function settleWarmup(root: MapNode): string[] {
  const sched = select(root, ['model', 'optim', 'sched']);
  if (sched?.kind !== 'map') return [];
  const notes: string[] = [];
  for (const kind of ['warmup', 'hold', 'constant']) {
    const steps = sched.entries.get(`${kind}_steps`);
    const ratio = sched.entries.get(`${kind}_ratio`);
    if (!isGiven(steps) || !isGiven(ratio) || rank(steps.origin) === rank(ratio.origin)) continue;
    const keepSteps = rank(steps.origin) > rank(ratio.origin);
    const [kept, dropped] = keepSteps ? [`${kind}_steps`, `${kind}_ratio`] : [`${kind}_ratio`, `${kind}_steps`];
    sched.entries.delete(dropped);
    const where = showOrigin((keepSteps ? steps : ratio).origin);
    notes.push(`${where}: model.optim.sched.${kept} is set, so ${dropped} is ignored`);
  }
  return notes;
}

const rank = (origin: Origin): number => (origin.kind === 'override' ? 2 : isShipped(origin) ? 0 : 1);

/** The section of the optimizer or of the schedule. */
interface ChosenOptions {
  section: MapNode;
  place: string;

  /** Name of the optimizer or the schedule. */
  name: string;

  /** The keys that it takes. */
  taken: string[];
}

/** The sections of the optimizer and the schedule. One with an unknown name is left out. */
function* chosenOptions(root: MapNode): Generator<ChosenOptions> {
  const section = select(root, ['model', 'optim']);
  if (section?.kind !== 'map') return;
  const name = textOf(section.entries.get('name')) ?? 'adam';
  const options = Object.hasOwn(optimizers, name) ? optimizers[name as OptimizerName] : undefined;
  if (options) yield { section, place: 'model.optim', name, taken: [...Object.keys(options), 'name', 'sched'] };
  const sched = section.entries.get('sched');
  if (sched?.kind !== 'map') return;
  const schedule = textOf(sched.entries.get('name')) ?? defaultSchedule;
  const common = ['name', 'last_epoch', 'monitor', 'reduce_on_plateau', 'max_steps'];
  const taken = scheduleKeys(schedule)?.takes;
  if (taken) yield { section: sched, place: 'model.optim.sched', name: schedule, taken: [...taken, ...common] };
}

const defaultSchedule = 'WarmupAnnealing';

/**
 * Removes the shipped values that the chosen optimizer or schedule does not take. In a saved configuration they would read as
 * the user's, and be rejected.
 */
function dropForeignDefaults(root: MapNode): void {
  for (const { section, place, taken } of chosenOptions(root)) {
    for (const [key, { origin }] of foreignEntries(section, place, taken)) {
      if (isShipped(origin)) section.entries.delete(key);
    }
  }
}

function optimProblems(root: MapNode): Problem[] {
  const optim = select(root, ['model', 'optim']);
  if (optim?.kind !== 'map') return [];
  const problems = [...chosenOptions(root)].flatMap(foreignKeys);
  const name = textOf(optim.entries.get('name')) ?? 'adam';
  const lr = optim.entries.get('lr');
  if (lr?.kind === 'scalar' && lr.value === null && name !== 'adafactor') {
    problems.push({
      origin: lr.origin,
      key: 'model.optim.lr',
      message: `model.optim.lr is null; ${name} needs a number`,
    });
  }
  const nesterov = optim.entries.get('nesterov');
  const isNesterov = nesterov?.kind === 'scalar' && nesterov.value === true;
  const [momentum, dampening] = ['momentum', 'dampening'].map((option) => numberOf(optim.entries.get(option)) ?? 0);
  if (isNesterov && (momentum === 0 || dampening !== 0)) {
    problems.push({
      origin: nesterov.origin,
      key: 'model.optim.nesterov',
      message: 'model.optim.nesterov=true needs model.optim.momentum above 0, and dampening 0',
    });
  }
  const sched = optim.entries.get('sched');
  if (sched?.kind !== 'map') return problems;
  const schedule = textOf(sched.entries.get('name')) ?? defaultSchedule;
  const keys = scheduleKeys(schedule);
  if (!keys) return problems;
  for (const problem of scheduleProblems(optim, sched, schedule, keys.modes)) problems.push(problem);
  for (const needed of keys.needs ?? []) {
    if (isGiven(sched.entries.get(needed))) continue;
    const key = `model.optim.sched.${needed}`;
    problems.push({ origin: sched.entries.get('name')?.origin, key, message: `${schedule} needs ${key}` });
  }
  for (const kind of ['warmup', 'hold', 'constant']) {
    const steps = sched.entries.get(`${kind}_steps`);
    if (!isGiven(steps) || !isGiven(sched.entries.get(`${kind}_ratio`))) continue;
    problems.push({
      origin: steps.origin,
      key: `model.optim.sched.${kind}_steps`,
      message: `model.optim.sched.${kind}_steps and ${kind}_ratio are both set`,
      hint: [`set one of them to null`],
    });
  }
  return problems;
}

/** Values of a schedule's keys that NeMo or PyTorch refuses. */
function scheduleProblems(
  optim: MapNode,
  sched: MapNode,
  schedule: string,
  modes: readonly string[] | undefined,
): Problem[] {
  const problems: Problem[] = [];
  const at = (key: string): ConfigNode | undefined => sched.entries.get(key);
  const report = (name: string, message: string, ...hint: string[]): void => {
    const key = `model.optim.sched.${name}`;
    const origin = (at(name) ?? at('name'))?.origin;
    problems.push({ origin, key, message: message.replace('KEY', key), ...(hint.length > 0 ? { hint } : {}) });
  };
  const mode = textOf(at('mode'));
  if (modes && mode !== undefined && !modes.includes(mode)) {
    report('mode', `KEY is ${shown(mode)}; ${schedule} has ${modes.join(', ')}`);
  }
  if (schedule === 'CyclicLR' && mode !== 'exp_range' && isGiven(at('gamma'))) {
    report('gamma', 'CyclicLR reads KEY only in its mode exp_range', '~model.optim.sched.gamma removes it');
  }
  if (schedule === 'T5InverseSquareRootAnnealing' && numberOf(at('constant_steps')) === 0) {
    report('constant_steps', `KEY is 0; ${schedule} needs at least 1`);
  }
  const hasWarmup = [at('warmup_steps'), at('warmup_ratio')].some((node) => (numberOf(node) ?? 0) > 0);
  if (schedule === 'NoamHoldAnnealing' && !hasWarmup) report('warmup_steps', `${schedule} needs KEY or warmup_ratio`);
  const [lowest, peak] = [numberOf(at('min_lr')), numberOf(optim.entries.get('lr'))];
  const isCosineOrNoam = schedule === 'CosineAnnealing' || schedule === 'NoamAnnealing';
  if (isCosineOrNoam && lowest !== undefined && peak !== undefined && lowest > peak) {
    report('min_lr', `KEY is ${lowest}, more than model.optim.lr, ${peak}`);
  }
  return problems;
}

/** Keys that the user set and that the chosen optimizer or schedule does not take. */
function foreignKeys({ section, place, name, taken }: ChosenOptions): Problem[] {
  return foreignEntries(section, place, taken).map(([key, node]) => ({
    origin: section.keyOrigins.get(key) ?? node.origin,
    key: `${place}.${key}`,
    message: `${name} has no ${place}.${key}`,
    hint: [`${name} takes ${taken.filter((option) => option !== 'name').join(', ')}`, `~${place}.${key} removes it`],
  }));
}

/** The keys of a section that have an effect, but not with the chosen optimizer or schedule. Null values are ignored. */
function foreignEntries(section: MapNode, place: string, taken: readonly string[]): [string, ConfigNode][] {
  return [...section.entries].filter(([key, node]) => {
    const known = schemaAt(configSchema, [...place.split('.'), key]);
    if (!known || known.noEffect !== undefined || known.unsupported || taken.includes(key)) return false;
    return node.kind !== 'scalar' || node.value !== null;
  });
}

function trainerProblems(root: MapNode): Problem[] {
  const at = (name: string): ConfigNode | undefined => select(root, ['trainer', name]);
  const problems: Problem[] = [];
  const devices = at('devices');
  if (devices?.kind === 'scalar' && Number(devices.value) === 0 && devices.value !== null) {
    problems.push({
      origin: devices.origin,
      key: 'trainer.devices',
      message: 'trainer.devices is 0; training needs a device',
      hint: [
        'to train on the CPU: trainer.accelerator=cpu trainer.devices=1',
        'to train on GPUs: a number of them (trainer.devices=1), a list ([0,1]), or -1 for all',
      ],
    });
  }
  const listed = devices?.kind === 'scalar' ? String(devices.value).split(',') : [];
  if (devices && new Set(listed.map(Number)).size < listed.length) {
    problems.push({
      origin: devices.origin,
      key: 'trainer.devices',
      message: `trainer.devices is ${JSON.stringify(toPlain(devices))}, which names a device twice`,
      hint: ['write each index once'],
    });
  }
  const accelerator = at('accelerator');
  const selectsGpus = devices?.kind === 'list' || (devices?.kind === 'scalar' && /^-1$|,/.test(String(devices.value)));
  if (devices && selectsGpus && accelerator?.kind === 'scalar' && accelerator.value === 'cpu') {
    problems.push({
      origin: devices.origin,
      key: 'trainer.devices',
      message: `trainer.devices is ${JSON.stringify(toPlain(devices))}, which selects GPUs, and trainer.accelerator is cpu`,
      hint: ['write a number of devices: trainer.devices=1'],
    });
  }
  const unlimited = (node: ConfigNode | undefined): boolean =>
    node?.kind === 'scalar' && (node.value === null || node.value === -1);
  const [epochs, steps] = [at('max_epochs'), at('max_steps')];
  if (epochs && unlimited(epochs) && (!steps || unlimited(steps))) {
    problems.push({
      origin: epochs.origin,
      key: 'trainer.max_epochs',
      message: 'neither trainer.max_epochs nor trainer.max_steps limits the training',
      hint: ['set one of them'],
    });
  }
  for (const { path, node } of leaves(configSchema)) {
    const value = node.fraction ? select(root, path) : undefined;
    if (value?.kind !== 'scalar' || typeof value.value !== 'number') continue;
    const key = path.join('.');
    if (value.isFloat && value.value > 1) {
      problems.push({
        origin: value.origin,
        key,
        message: `${key} is ${shown(value.value)}; a number with a decimal point is a fraction, at most 1.0`,
        hint: [`write ${Math.trunc(value.value)}, without a decimal point, for a number of batches`],
      });
    }
  }
  return problems;
}

/** What the schema's pattern does not see, such as a port above 65535. */
function memberProblems(root: MapNode): Problem[] {
  const key = 'nautil.group.members';
  const node = select(root, key.split('.'));
  if (node?.kind !== 'list') return [];
  const wrong = (toPlain(node) as JsonValue[]).find(
    (address) => typeof address === 'string' && parseMemberAddress(address) === undefined,
  );
  if (wrong === undefined) return [];
  const message = `${key} contains ${shown(wrong)}, which is not host:port of a machine, with a port from 1 to 65535`;
  const hint = [
    'write a DNS name, an IPv4 address or an IPv6 address in brackets: gpu-0:2222, 10.0.0.1:2222, [fd00::1]:2222',
  ];
  return [{ origin: node.origin, key, message, hint }];
}

function lengthProblems(root: MapNode): Problem[] {
  const key = 'model.dataset.max_seq_length';
  const node = select(root, key.split('.'));
  if (node?.kind !== 'scalar' || (node.value !== 1 && node.value !== 2)) return [];
  const message = `${key} is ${node.value}, which leaves no room for a token between [CLS] and [SEP]`;
  return [{ origin: node.origin, key, message, hint: ['write 3 or more, or -1 for the maximum of the encoder'] }];
}

function tokenizerProblems(root: MapNode): Problem[] {
  return [...tokenizerKindProblems(root), ...vocabularyProblems(root)];
}

function tokenizerKindProblems(root: MapNode): Problem[] {
  const key = 'model.tokenizer.tokenizer_name';
  const node = select(root, key.split('.'));
  const name = textOf(node);
  if (name === undefined || !isUnsupportedTokenizer(name)) return [];
  const message = `${key} is ${shown(name)}, a kind of NeMo's tokenizers that Nautil does not support`;
  const hint =
    name.toLowerCase() === 'sentencepiece'
      ? `leave it out: model.tokenizer.tokenizer_model=FILE.model is read as Hugging Face's tokenizer of the encoder`
      : `name a model or a folder with a tokenizer.json, a vocab.txt, a vocab.json or a SentencePiece model`;
  return [{ origin: node?.origin, key, message, hint: [hint] }];
}

/** Two keys name the vocabulary, so only one of them can have an effect. */
function vocabularyProblems(root: MapNode): Problem[] {
  const [vocabulary, key] = ['model.tokenizer.vocab_file', 'model.tokenizer.tokenizer_model'] as const;
  const model = select(root, key.split('.'));
  if (!isGiven(model) || !isGiven(select(root, vocabulary.split('.')))) return [];
  const message = `${key} and ${vocabulary} both replace the tokenizer's vocabulary`;
  return [
    { origin: model.origin, key, message, hint: [`set one of them: ${vocabulary} takes a SentencePiece model too`] },
  ];
}

/** One note for each key without effect that the user set to another value than the default. */
function noEffectNotes(ineffective: readonly Ineffective[]): string[] {
  return ineffective
    .filter(({ rejected }) => rejected === undefined)
    .map(({ key, origin, reason }) => `${showOrigin(origin)}: ${key} has no effect: ${reason}`);
}

/** Keys whose lack of effect would be dangerous: a digest that nothing is compared with. */
function unmetProblems(ineffective: readonly Ineffective[]): Problem[] {
  return ineffective.flatMap(({ key, origin, reason, rejected }) =>
    rejected === undefined ? [] : [{ origin, key, message: `${key} has no effect: ${reason}`, hint: [rejected] }],
  );
}

/** A key without effect that the user set to another value than the default. */
interface Ineffective {
  key: string;
  origin: Origin;
  reason: string;

  /** See `KeyNotes.rejectedUnmet`. */
  rejected: string | undefined;
}

function* givenWithoutEffect(root: MapNode): Generator<Ineffective> {
  const filled = fillDefaults(configSchema, toPlain(root));
  const config = isJsonObject(filled) ? filled : {};
  for (const { path, node } of leaves(configSchema)) {
    const at = select(root, path);
    if (!at || isShipped(at.origin)) continue;
    const value = toPlain(at);
    // 1 is one batch, and 1.0 is all of them.
    const isOneBatch = node.fraction === true && at.kind === 'scalar' && value === 1 && !at.isFloat;
    const isDefault = same(value, node.default ?? null) && !isOneBatch;
    if (value === null || value === missing || isDefault) continue;
    const unmet = unmetNeeds(node.needs ?? [], config);
    const reason = node.noEffect ?? (unmet.length > 0 ? `it needs ${describeNeeds(unmet)}` : undefined);
    if (reason !== undefined) yield { key: path.join('.'), origin: at.origin, reason, rejected: node.rejectedUnmet };
  }
}

function isGiven(node: ConfigNode | undefined): node is ConfigNode {
  return node !== undefined && !(node.kind === 'scalar' && (node.value === null || node.value === missing));
}

const numberOf = (node: ConfigNode | undefined): number | undefined =>
  node?.kind === 'scalar' && typeof node.value === 'number' ? node.value : undefined;

const textOf = (node: ConfigNode | undefined): string | undefined =>
  node?.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;

const same = (a: JsonValue, b: JsonValue): boolean => JSON.stringify(a) === JSON.stringify(b);

const asWritten = (node: ConfigNode): string =>
  node.kind === 'scalar' && node.written !== undefined ? shown(node.written) : shown(toPlain(node));

const shown = (value: JsonValue): string => {
  const bare = typeof value === 'number' || (typeof value === 'string' && value !== '');
  const text = bare ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
};

function pathOf(error: ErrorObject): string[] {
  const parts = error.instancePath.split('/').slice(1);
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
