import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { goldenEncoders } from '@nautil/testing';
import { openTensors } from '../open-tensors.js';
import type { TensorSource, TensorToWrite } from '../tensor-source.js';
import { torchZip } from '../torch/write-torch-zip.js';
import { writeSafetensors } from '../write-safetensors.js';
import type { EncoderTensors } from './encoder.js';
import { openEncoder } from './open-encoder.js';

// The forms in which files of encoders come: each holds the same weights.
const encoders = goldenEncoders().filter(({ folder }) => basename(folder) !== 'megatron-bert-tiny');

const folder = mkdtempSync(join(tmpdir(), 'nautil-forms-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Tensors = readonly TensorToWrite[];

const renamed = (tensors: Tensors, rename: (name: string) => string): Tensors =>
  tensors.map((tensor) => ({ ...tensor, name: rename(tensor.name) }));

/** A head of the task that a model was trained for, and the buffers that older versions of transformers stored. */
const extras: Tensors = [
  { name: 'classifier.weight', dtype: 'F32', shape: [2], data: new Float32Array([1, 2]) },
  { name: 'lm_head.bias', dtype: 'F32', shape: [2], data: new Float32Array([3, 4]) },
];

async function writeTorch(path: string, tensors: Tensors): Promise<void> {
  const parts: Uint8Array[] = [];
  for await (const chunk of torchZip(tensors).chunks()) parts.push(Buffer.from(chunk));
  writeFileSync(path, Buffer.concat(parts));
}

/** Writes two files and their index. */
async function writeShards(
  target: string,
  tensors: Tensors,
  { name, write }: { name: (shard: number) => string; write: (path: string, tensors: Tensors) => Promise<unknown> },
): Promise<Record<string, string>> {
  const map: Record<string, string> = {};
  for (const shard of [0, 1]) {
    const part = tensors.filter((_, index) => index % 2 === shard);
    await write(join(target, name(shard + 1)), part);
    for (const tensor of part) map[tensor.name] = name(shard + 1);
  }
  return map;
}

const safetensors = (path: string, tensors: Tensors) => writeSafetensors(path, tensors);

const forms: Record<string, (target: string, tensors: Tensors) => Promise<unknown>> = {
  'model.safetensors': (target, tensors) => safetensors(join(target, 'model.safetensors'), tensors),
  'shards of safetensors': async (target, tensors) => {
    const map = await writeShards(target, tensors, {
      name: (shard) => `model-0000${shard}-of-00002.safetensors`,
      write: safetensors,
    });
    writeFileSync(join(target, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  },
  'pytorch_model.bin': (target, tensors) => writeTorch(join(target, 'pytorch_model.bin'), tensors),
  'shards of .bin': async (target, tensors) => {
    const map = await writeShards(target, tensors, {
      name: (shard) => `pytorch_model-0000${shard}-of-00002.bin`,
      write: writeTorch,
    });
    writeFileSync(join(target, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: map }));
  },
};

const spellings: Record<string, (tensors: Tensors) => Tensors> = {
  'without a prefix': (tensors) => tensors,
  'of a model with a head, under its prefix': (tensors) => [
    ...renamed(tensors, (name) => `encoder_of_it.${name}`),
    ...extras,
  ],
  'with TensorFlow’s old names of norms': (tensors) =>
    renamed(tensors, (name) =>
      /(?:norm|\bln)\.(?:weight|bias)$/i.test(name) ? name.replace(/weight$/, 'gamma').replace(/bias$/, 'beta') : name,
    ),
};

describe.each(encoders.map((encoder) => [encoder.name, encoder.folder] as const))('%s', (_, golden) => {
  let truth: TensorSource;
  let tensors: Tensors;
  let layout: EncoderTensors;
  beforeAll(async () => {
    truth = await openTensors(join(golden, 'model.safetensors'));
    const names = truth.names();
    tensors = names.map((name) => ({ name, ...truth.info(name), data: () => truth.read(name) }));
    layout = {
      tensors: names.map((name) => ({ name, shape: truth.info(name).shape, used: true })),
      wordEmbeddings: names.find((name) => /^embeddings\.(?:word|tok)_embeddings\.weight$/.test(name))!,
      hiddenSize: 1,
    };
  });
  afterAll(() => truth.close());

  test.each(Object.keys(forms).flatMap((form) => Object.keys(spellings).map((spelling) => [form, spelling] as const)))(
    '%s %s gives the same weights',
    async (form, spelling) => {
      const target = mkdtempSync(join(folder, 'form-'));
      copyFileSync(join(golden, 'config.json'), join(target, 'config.json'));
      await forms[form]!(target, spellings[spelling]!(tensors));
      const encoder = await openEncoder({ path: target, layout: () => layout });
      expect(encoder.tensors.names()).toEqual(truth.names());
      for (const name of truth.names()) {
        const equal = Buffer.compare(await encoder.tensors.read(name), await truth.read(name)) === 0;
        expect({ name, equal }).toEqual({ name, equal: true });
      }
      expect(encoder.dropped).toHaveLength(spelling.includes('head') ? extras.length : 0);
      await encoder.close();
    },
  );
});
