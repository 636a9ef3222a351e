import {
  type ConfigNode,
  emptyMap,
  isLater,
  isShipped,
  type MapNode,
  type Origin,
  put,
  scalar,
  select,
  showOrigin,
  toPlain,
} from './config-node.js';

/**
 * Keys that were renamed or moved since NeMo 0.11 to 1.6, NeMo's documentation and Lightning 1.x. Sections precede their keys,
 * since entries apply in order.
 */
const renamed: readonly (readonly [from: string, to: string])[] = [
  ['pl.trainer', 'trainer'],
  ['trainer.checkpoint_callback', 'trainer.enable_checkpointing'],
  ['trainer.distributed_backend', 'trainer.strategy'],
  ['trainer.checkpoint_callback_params', 'exp_manager.checkpoint_callback_params'],
  ['train_ds', 'model.train_ds'],
  ['training_ds', 'model.train_ds'],
  ['validation_ds', 'model.validation_ds'],
  ['test_ds', 'model.test_ds'],
  ['dataset', 'model.dataset'],
  ['tokenizer', 'model.tokenizer'],
  ['language_model', 'model.language_model'],
  ['classifier_head', 'model.classifier_head'],
  ['infer_samples', 'model.infer_samples'],
  ['optim', 'model.optim'],
  ['model.training_ds', 'model.train_ds'],
  ['model.head', 'model.classifier_head'],
  ['model.class_balancing', 'model.dataset.class_balancing'],
  ['model.language_model.nemo_file', 'model.language_model.lm_checkpoint'],
  ['model.language_model.bert_checkpoint', 'model.language_model.lm_checkpoint'],
  ['model.language_model.bert_config', 'model.language_model.config_file'],
  ['model.language_model.max_seq_length', 'model.dataset.max_seq_length'],
  ['model.language_model.do_lower_case', 'model.dataset.do_lower_case'],
  ['model.optim.args.params', 'model.optim'],
  ['model.optim.sched.args.params', 'model.optim.sched'],
  ['exp_manager.root_dir', 'exp_manager.exp_dir'],
  ['exp_manager.checkpoint_callback_params.period', 'exp_manager.checkpoint_callback_params.every_n_epochs'],
];

/** The current name of a legacy key, or undefined when `key` is not a legacy key. */
export function currentSpelling(key: string): string | undefined {
  for (const [from, to] of [...renamed, ['trainer.gpus', 'trainer.devices'] as const]) {
    if (key === from || key.startsWith(`${from}.`)) return `${to}${key.slice(from.length)}`;
  }
  return undefined;
}

const strategies = new Set(['dp', 'ddp', 'ddp2', 'ddp_cpu', 'ddp_spawn', 'ddp_sharded', 'horovod']);
const halfPrecision = new Set(['16', '16-mixed']);

/**
 * Replaces legacy keys and values in place, and returns a note for each. When both the old and the new key are set, the one
 * that was written later applies.
 */
export function renameLegacyKeys(root: MapNode): string[] {
  const notes: string[] = [];
  for (const [from, to] of renamed) {
    const node = takeOut(root, from);
    if (!node) continue;
    if (!isNull(node)) notes.push(`${showOrigin(node.origin)}: ${from} is read as ${to}`);
    setUnlessLater(root, to, node);
  }
  const settings = [...strategyFrom(root), ...devicesFrom(root), ...precisionFrom(root)];
  for (const section of ['pl', 'model.optim.args', 'model.optim.sched.args']) removeEmptySection(root, section);
  return [...notes, ...settings];
}

/** In Lightning 1.0 to 1.4, `accelerator` held the strategy. */
function strategyFrom(root: MapNode): string[] {
  const written = select(root, ['trainer', 'accelerator']);
  if (written?.kind !== 'scalar' || typeof written.value !== 'string' || !strategies.has(written.value)) return [];
  takeOut(root, 'trainer.accelerator');
  setUnlessLater(root, 'trainer.strategy', written);
  return [`${showOrigin(written.origin)}: trainer.accelerator=${written.value} is read as trainer.strategy`];
}

/** `gpus` was a number (-1: all) or a list of devices; 0 and null meant the CPU. */
function devicesFrom(root: MapNode): string[] {
  const gpus = takeOut(root, 'trainer.gpus');
  if (!gpus) return [];
  const plain = toPlain(gpus);
  const none = plain === null || plain === 0 || plain === '0' || (Array.isArray(plain) && plain.length === 0);
  setUnlessLater(root, 'trainer.devices', none ? scalar(1, gpus.origin) : gpus);
  setUnlessLater(root, 'trainer.accelerator', scalar(none ? 'cpu' : 'gpu', gpus.origin));
  const accelerator = select(root, ['trainer', 'accelerator']);
  const stated = accelerator?.kind === 'scalar' ? accelerator.value : 'gpu';
  const read = none ? `trainer.accelerator=${stated}` : `trainer.devices, with trainer.accelerator=${stated}`;
  return [`${showOrigin(gpus.origin)}: trainer.gpus=${JSON.stringify(plain)} is read as ${read}`];
}

/** A processor trains in bfloat16 where float16 is requested: it has the same size, and needs no loss scaling. */
function precisionFrom(root: MapNode): string[] {
  const written = select(root, ['trainer', 'precision']);
  const accelerator = select(root, ['trainer', 'accelerator']);
  if (written?.kind !== 'scalar' || !halfPrecision.has(String(written.value))) return [];
  if (accelerator?.kind !== 'scalar' || accelerator.value !== 'cpu') return [];
  setUnlessLater(root, 'trainer.precision', scalar('bf16-mixed', written.origin));
  const why = 'a processor does 16-bit training in bfloat16, which needs no loss scaling';
  return [`${showOrigin(written.origin)}: trainer.precision=${written.value} is read as bf16-mixed: ${why}`];
}

function takeOut(root: MapNode, key: string): ConfigNode | undefined {
  const path = key.split('.');
  const name = path.pop() ?? '';
  const holder = select(root, path);
  if (holder?.kind !== 'map') return undefined;
  const node = holder.entries.get(name);
  holder.entries.delete(name);
  return node;
}

/** Sets a key, unless its present value was written later. Sections are merged key by key. */
function setUnlessLater(root: MapNode, key: string, node: ConfigNode): void {
  const path = key.split('.');
  const name = path.pop() ?? '';
  let holder = root;
  for (const part of path) {
    const next = holder.entries.get(part);
    if (next?.kind === 'map') holder = next;
    else {
      const section = emptyMap(node.origin);
      put(holder, part, section);
      holder = section;
    }
  }
  const present = holder.entries.get(name);
  if (node.kind === 'map' && present?.kind === 'map') {
    for (const [inner, value] of node.entries) setUnlessLater(root, `${key}.${inner}`, value);
  } else if (!present || !wasWrittenAfter(present, node.origin)) put(holder, name, node);
}

function wasWrittenAfter(present: ConfigNode, origin: Origin): boolean {
  return isLater(present.origin, origin) && !isShipped(present.origin);
}

function isNull(node: ConfigNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** Removes a legacy section whose values have been moved: one that is empty, or has only `name: auto`. */
function removeEmptySection(root: MapNode, key: string): void {
  const node = select(root, key.split('.'));
  if (node?.kind !== 'map') return;
  const left = [...node.entries].filter(([name, value]) => !(name === 'name' && toPlain(value) === 'auto'));
  if (left.length === 0) takeOut(root, key);
}
