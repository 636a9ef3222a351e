import type { JsonObject } from '@nautil/contracts';
import { MissingTensors, UnsupportedFile } from '../errors.js';
import { namedTensors } from '../named-tensors.js';
import { bytesPerElement } from '../tensor-dtype.js';
import type { TensorInfo } from '../tensor-source.js';
import { PickleRecord, type PickleValue } from '../torch/pickle-machine.js';
import type { TorchFile } from '../torch/read-torch-zip.js';
import type { Encoder } from './encoder.js';
import { type ConfigHints, inferEncoderConfig } from './infer-encoder-config.js';

/** Whether the file is a checkpoint of Megatron-LM: `{"model": {"language_model": …}}`. */
export function isMegatron({ root }: TorchFile): boolean {
  const model = root instanceof Map ? root.get('model') : undefined;
  return model instanceof Map && model.has('language_model');
}

/** A tensor under its Hugging Face name, made of one tensor in the file. */
interface Conversion extends TensorInfo {
  readonly from: string;
  convert(bytes: Uint8Array): Uint8Array;
}

const base = 'model.language_model.';

/**
 * A checkpoint of Megatron-LM's BERT as Hugging Face's MegatronBertModel, weight for weight as transformers'
 * convert_megatron_bert_checkpoint.py does. Versions differ in how query, key and value lie in one matrix.
 */
export function readMegatron(file: TorchFile, path: string, given?: JsonObject, hints: ConfigHints = {}): Encoder {
  const { config, notes } = megatronConfig(file, path, given, hints);
  const heads = Number(config['num_attention_heads']);
  const version = checkpointVersion(file.root, path);
  const tensors = new Map<string, Conversion>();
  const dropped: string[] = [];
  for (const name of file.names()) {
    const found = convertName(name);
    if (!found) {
      dropped.push(name);
      continue;
    }
    const { dtype, shape } = file.info(name);
    if (found.fused) {
      for (const [split, part] of ['query', 'key', 'value'].entries()) {
        const rows = (shape[0] ?? 0) / 3;
        if (!Number.isInteger(rows / heads))
          throw new UnsupportedFile(path, `${name} has ${shape[0]} rows, not 3 × ${heads} heads`);
        const rowOf = rowOrder(version, split, heads, rows / heads);
        const rowBytes = shape.slice(1).reduce((product, dimension) => product * dimension, bytesPerElement[dtype]);
        tensors.set(`${found.name}${part}.${found.kind}`, {
          from: name,
          dtype,
          shape: [rows, ...shape.slice(1)],
          convert: (bytes) => pickRows(bytes, rows, rowBytes, rowOf),
        });
      }
    } else if (found.name === 'embeddings.word_embeddings.weight') {
      // The vocabulary was padded with rows that no token has.
      const rows = Math.min(shape[0] ?? 0, Number(config['vocab_size']));
      const rowBytes = (shape[1] ?? 0) * bytesPerElement[dtype];
      tensors.set(found.name, {
        from: name,
        dtype,
        shape: [rows, shape[1] ?? 0],
        convert: (bytes) => bytes.slice(0, rows * rowBytes),
      });
    } else {
      tensors.set(found.name, { from: name, dtype, shape, convert: (bytes) => bytes });
    }
  }
  return {
    config,
    notes,
    dropped,
    close: () => file.close(),
    tensors: namedTensors({
      format: file.format,
      name: path,
      tensors,
      read: async (entry) => entry.convert(await file.read(entry.from)),
      close: () => file.close(),
    }),
  };
}

type RowOf = (row: number) => number;

/** Where row `row` of one of query (0), key (1) and value (2) lies in the fused matrix. */
function rowOrder(version: number, split: number, heads: number, width: number): RowOf {
  // 0: [3, heads, width]; 1: [heads, width, 3]; from 2: [heads, 3, width].
  if (version < 1) return (row) => split * heads * width + row;
  if (version < 2) return (row) => row * 3 + split;
  return (row) => (Math.floor(row / width) * 3 + split) * width + (row % width);
}

function pickRows(bytes: Uint8Array, rows: number, rowBytes: number, rowOf: RowOf): Uint8Array {
  const picked = new Uint8Array(rows * rowBytes);
  for (let row = 0; row < rows; row += 1) {
    const from = rowOf(row) * rowBytes;
    picked.set(bytes.subarray(from, from + rowBytes), row * rowBytes);
  }
  return picked;
}

function checkpointVersion(root: PickleValue, path: string): number {
  const version = root instanceof Map ? (root.get('checkpoint_version') ?? 0) : 0;
  if (typeof version === 'number' && version >= 0 && version < 4) return version;
  throw new UnsupportedFile(path, `Megatron-LM's checkpoint version ${JSON.stringify(version)}`, {
    hint: 'versions 0 to 3 are read',
  });
}

/** Arguments of the program that wrote the checkpoint; older ones have none. */
function argumentsOf(root: PickleValue): (key: string) => number | undefined {
  const args = root instanceof Map ? root.get('args') : undefined;
  const state = args instanceof PickleRecord && args.state instanceof Map ? args.state : undefined;
  return (key) => {
    const value = state?.get(key);
    return typeof value === 'number' ? value : undefined;
  };
}

// Layer norms are called `layers.N.input_layernorm`, blocks `attention` before and `self_attention` since version 3.
const blocks: readonly [RegExp, string][] = [
  [/^input_layernorm$/, 'attention.ln'],
  [/^post_attention_layernorm$/, 'ln'],
  [/^(?:self_)?attention\.dense$/, 'attention.output.dense'],
  [/^mlp\.dense_h_to_4h$/, 'intermediate.dense'],
  [/^mlp\.dense_4h_to_h$/, 'output.dense'],
];

const outside: Readonly<Record<string, string>> = {
  'embedding.word_embeddings.weight': 'embeddings.word_embeddings.weight',
  'embedding.position_embeddings.weight': 'embeddings.position_embeddings.weight',
  'embedding.tokentype_embeddings.weight': 'embeddings.token_type_embeddings.weight',
  'pooler.dense.weight': 'pooler.dense.weight',
  'pooler.dense.bias': 'pooler.dense.bias',
};

function convertName(full: string): { name: string; kind: string; fused: boolean } | undefined {
  if (!full.startsWith(base)) return undefined;
  const name = full.slice(base.length);
  const known = Object.hasOwn(outside, name) ? outside[name] : undefined;
  if (known) return { name: known, kind: '', fused: false };
  const inner = /^(?:transformer|encoder)\.(.+)\.(weight|bias)$/.exec(name);
  const [, block = '', kind = ''] = inner ?? [];
  if (block === 'final_layernorm') return { name: `encoder.ln.${kind}`, kind, fused: false };
  const [, layer, part = ''] = /^layers\.(\d+)\.(.+)$/.exec(block) ?? [];
  if (layer === undefined) return undefined;
  const at = `encoder.layer.${Number(layer)}`;
  if (/^(?:self_)?attention\.query_key_value$/.test(part)) return { name: `${at}.attention.self.`, kind, fused: true };
  const renamed = blocks.find(([pattern]) => pattern.test(part))?.[1];
  return renamed ? { name: `${at}.${renamed}.${kind}`, kind, fused: false } : undefined;
}

/** The configuration that was given; without one, sizes from the weights, the rest from the checkpoint's arguments. */
function megatronConfig(
  file: TorchFile,
  path: string,
  given: JsonObject | undefined,
  hints: ConfigHints,
): { config: JsonObject; notes: string[] } {
  const args = argumentsOf(file.root);
  const trained = args('layernorm_epsilon');
  if (given) {
    const type = given['model_type'];
    if (type !== 'megatron-bert') {
      throw new UnsupportedFile(
        path,
        `a checkpoint of Megatron-LM, but the configuration is of the type ${typeof type === 'string' ? type : JSON.stringify(type)}`,
        {
          hint: 'give the config.json of the MegatronBertModel (model_type megatron-bert), or none: it can be derived',
        },
      );
    }
    const epsilon = given['layer_norm_eps'];
    const differs = trained !== undefined && typeof epsilon === 'number' && epsilon !== trained;
    return {
      config: given,
      notes: differs
        ? [`layer_norm_eps is ${epsilon} in the configuration, which holds; Megatron-LM trained with ${trained}`]
        : [],
    };
  }
  const shapes = new Map<string, readonly number[]>();
  for (const name of file.names()) {
    const found = convertName(name);
    if (found && !found.fused) shapes.set(found.name, file.info(name).shape);
  }
  if (!shapes.has('encoder.ln.weight'))
    throw new MissingTensors(path, 'a Megatron-LM checkpoint without final_layernorm');
  const attentionHeads = hints.attentionHeads ?? args('num_attention_heads');
  const { config, notes } = inferEncoderConfig(shapes, path, {
    ...hints,
    ...(attentionHeads === undefined ? {} : { attentionHeads }),
  });
  if (trained === undefined) return { config, notes: [...notes] };
  return {
    config: { ...config, layer_norm_eps: trained },
    notes: [...notes, `layer_norm_eps ${trained}, from the checkpoint's arguments`],
  };
}
