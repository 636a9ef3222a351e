import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { JsonObject } from '@nautil/contracts';
import { goldenFiles, goldenPath, readGoldenJson } from '@nautil/testing';
import { openTensors } from '../open-tensors.js';
import { writeSafetensors } from '../write-safetensors.js';
import type { Encoder, EncoderTensors, LayoutTensor } from './encoder.js';
import { findEncoder } from './find-encoder.js';
import { type EncoderToOpen, openEncoder } from './open-encoder.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-encoder-'));
afterAll(() => rmSync(folder, { recursive: true }));

const models = ['bert-tiny-uncased', 'bert-tiny-cased', 'roberta-tiny', 'distilbert-tiny', 'megatron-bert-tiny'];

const configOf = (model: string) => readGoldenJson(model, 'config.json') as JsonObject;

/** The layout that a file of transformers itself has. */
async function layoutOf(model: string): Promise<LayoutTensor[]> {
  const source = await openTensors(goldenPath(model, 'model.safetensors'));
  const layout = source
    .names()
    .map((name) => ({ name, shape: source.info(name).shape, used: !name.startsWith('pooler.') }));
  await source.close();
  return layout;
}

const asBert = (tensors: readonly LayoutTensor[]): EncoderTensors => ({
  tensors,
  wordEmbeddings: 'embeddings.word_embeddings.weight',
  hiddenSize: 1,
});

async function withEncoder<T>(
  o: Omit<EncoderToOpen, 'layout'>,
  model: string,
  use: (encoder: Encoder) => T,
): Promise<T> {
  const layout = await layoutOf(model);
  const encoder = await openEncoder({ ...o, layout: () => asBert(layout) });
  try {
    return await use(encoder);
  } finally {
    await encoder.close();
  }
}

async function refusal(opening: Promise<Encoder>): Promise<string> {
  const error = await opening.then(
    () => new Error('nothing was refused'),
    (thrown: unknown) => thrown as Error & { hint?: string },
  );
  return `${error.name}: ${error.message}\n${'hint' in error ? error.hint : ''}`;
}

/** Every tensor of the model's safetensors is there under its name with its bytes, and nothing else. */
async function expectWeightsOf(model: string, { tensors }: Encoder): Promise<void> {
  const truth = await openTensors(goldenPath(model, 'model.safetensors'));
  expect([...tensors.names()].sort()).toEqual([...truth.names()].sort());
  for (const name of truth.names()) {
    expect({ name, ...tensors.info(name) }).toEqual({ name, ...truth.info(name) });
    const equal = Buffer.compare(await tensors.read(name), await truth.read(name)) === 0;
    expect({ name, equal }).toEqual({ name, equal: true });
  }
  await truth.close();
}

describe.each(models)('%s', (model) => {
  test('opens from its folder', () =>
    withEncoder({ path: goldenPath(model) }, model, async (encoder) => {
      expect(encoder.config).toEqual(configOf(model));
      expect(encoder.notes).toEqual([]);
      await expectWeightsOf(model, encoder);
    }));

  test('opens from a file, with the configuration beside it', () =>
    withEncoder({ path: goldenPath(model, 'pytorch_model.bin') }, model, async (encoder) => {
      expect(encoder.config).toEqual(configOf(model));
      await expectWeightsOf(model, encoder);
    }));

  test("opens from the hub's cache, by its name and by its folder, through refs/main and links", async () => {
    const repository = join(folder, 'hub', `models--org--${model}`);
    for (const revision of ['0123abc', '4567def'])
      mkdirSync(join(repository, 'snapshots', revision), { recursive: true });
    mkdirSync(join(repository, 'refs'));
    writeFileSync(join(repository, 'refs', 'main'), '4567def');
    for (const file of ['config.json', 'model.safetensors'])
      symlinkSync(goldenPath(model, file), join(repository, 'snapshots', '4567def', file));
    const found = await findEncoder(`org/${model}`, { hubCache: join(folder, 'hub'), models: folder });
    expect(found).toBe(join(repository, 'snapshots', '4567def'));
    for (const path of [found, repository])
      await withEncoder({ path }, model, (encoder) => expectWeightsOf(model, encoder));
  });

  test('opens from several files with an index', async () => {
    const split = join(folder, 'split', model);
    mkdirSync(split, { recursive: true });
    const truth = await openTensors(goldenPath(model, 'model.safetensors'));
    const map: Record<string, string> = {};
    for (const half of [0, 1]) {
      const names = truth.names().filter((_, index) => index % 2 === half);
      const file = `model-${half}.safetensors`;
      await writeSafetensors(
        join(split, file),
        names.map((name) => ({ name, ...truth.info(name), data: () => truth.read(name) })),
      );
      for (const name of names) map[name] = file;
    }
    await truth.close();
    copyFileSync(goldenPath(model, 'config.json'), join(split, 'config.json'));
    const index = join(split, 'model.safetensors.index.json');
    writeFileSync(index, JSON.stringify({ weight_map: map }));
    await withEncoder({ path: split }, model, (encoder) => expectWeightsOf(model, encoder));

    writeFileSync(index, JSON.stringify({ weight_map: { ...map, stray: '../model.safetensors' } }));
    expect(await refusal(openEncoder({ path: split, layout: () => asBert([]) }))).toMatch(
      /not a file name in this folder/,
    );
  });

  test('is refused when weights are missing or of another shape, and both are named', async () => {
    const layout = await layoutOf(model);
    const [first] = layout.filter(({ used }) => used);
    const extra = { name: `${first!.name}s`, shape: [1], used: true };
    const missing = await refusal(openEncoder({ path: goldenPath(model), layout: () => asBert([...layout, extra]) }));
    expect(missing).toMatch(/^MissingTensors: .*1 of the encoder's \d+ tensors are missing/);
    expect(missing).toContain(extra.name);
    const shape = [...first!.shape, 1];
    const reshaped = layout.map((tensor) => (tensor === first ? { ...tensor, shape } : tensor));
    expect(await refusal(openEncoder({ path: goldenPath(model), layout: () => asBert(reshaped) }))).toMatch(
      /^CorruptFile: .*is \[.*\], the configuration makes it \[\d.*, 1\]/,
    );
  });
});

test.each(['legacy_nonzip.bin', 'pretraining_gamma_beta_tied.bin'])(
  '%s, an older way to save the same model, gives the same weights',
  async (file) => {
    const model = 'bert-tiny-uncased';
    await withEncoder(
      { path: goldenPath('bert-tiny-variants', file), config: configOf(model) },
      model,
      async (encoder) => {
        await expectWeightsOf(model, encoder);
        if (!file.startsWith('pretraining')) return;
        expect(encoder.notes.join('\n')).toMatch(/prefix bert\. .*\n.*gamma/);
        expect(encoder.dropped).toEqual(expect.arrayContaining(['embeddings.position_ids']));
        expect(encoder.dropped.some((name) => name.startsWith('cls.'))).toBe(true);
      },
    );
  },
);

test.each(goldenFiles('nemo', '.nemo').filter((path) => !path.includes('run_artifacts')))(
  'the encoder of the archive %s is opened with the configuration in it',
  async (path) => {
    const encoder = await openEncoder({ path, layout: () => asBert([]) });
    expect(encoder.config['model_type']).toMatch(/^(distil|ro)?bert/);
    expect(encoder.notes).toEqual(['the prefix bert_model. was taken off the names']);
    expect(encoder.dropped).toContain('classifier.mlp.layer0.weight');
    await encoder.close();
  },
);

describe('a checkpoint of Megatron-LM', () => {
  const model = 'megatron-bert-tiny';
  const files = goldenFiles(model, '.pt').map((path) => [basename(path), path] as const);

  test.each(files)("%s gives the weights of transformers' conversion", (_, path) =>
    withEncoder({ path }, model, async (encoder) => {
      expect(encoder.config).toEqual(configOf(model));
      await expectWeightsOf(model, encoder);
      expect(encoder.dropped.some((name) => name.startsWith('model.lm_head.'))).toBe(true);
    }),
  );

  test.each(files)(
    '%s without a configuration has one derived, given the heads where it has no arguments',
    async (_, path) => {
      const truth = configOf(model);
      const bare = join(folder, 'iter_0000007', 'mp_rank_00', 'model_optim_rng.pt');
      mkdirSync(dirname(bare), { recursive: true });
      writeFileSync(join(folder, 'latest_checkpointed_iteration.txt'), '7\n');
      copyFileSync(path, bare);
      const attentionHeads = Number(truth['num_attention_heads']);
      const encoder = await openEncoder({ path: folder, attentionHeads, layout: () => asBert([]) });
      const { config, notes } = encoder;
      await encoder.close();
      for (const key of ['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'model_type'])
        expect({ key, value: config[key] }).toEqual({ key, value: truth[key] });
      // Megatron-LM's own, not the one that Hugging Face's configuration class takes.
      expect(config['layer_norm_eps']).toBe(1e-5);
      expect(Number(config['vocab_size'])).toBeGreaterThanOrEqual(Number(truth['vocab_size']));
      expect(notes.join('\n')).toMatch(/epsilon|layer_norm_eps/);
    },
  );

  test('of several ranks is refused, and says what to do', async () => {
    const ranks = join(folder, 'ranks');
    for (const rank of ['mp_rank_00', 'mp_rank_01']) mkdirSync(join(ranks, 'release', rank), { recursive: true });
    writeFileSync(join(ranks, 'latest_checkpointed_iteration.txt'), 'release');
    expect(await refusal(openEncoder({ path: ranks, layout: () => asBert([]) }))).toMatch(
      /split over 2 ranks.*\n.*merge/,
    );
  });

  test('is not taken for an encoder of another type', async () => {
    const config = configOf('bert-tiny-uncased');
    expect(await refusal(openEncoder({ path: files[0]![1], config, layout: () => asBert([]) }))).toMatch(
      /a checkpoint of Megatron-LM, but the configuration is of the type bert/,
    );
  });
});

test('what the layout refuses is refused before the weights are looked at', async () => {
  const folderOnly = join(folder, 'unsupported');
  mkdirSync(folderOnly);
  writeFileSync(join(folderOnly, 'config.json'), '{"model_type": "gpt2"}');
  writeFileSync(join(folderOnly, 'pytorch_model.bin'), 'no weights');
  const layout = (config: JsonObject, source: string) => {
    throw new Error(`${source}: ${JSON.stringify(config['model_type'])} is refused`);
  };
  expect(await refusal(openEncoder({ path: folderOnly, layout }))).toContain(
    `${join(folderOnly, 'config.json')}: "gpt2" is refused`,
  );
});

test('a folder of weights alone lacks config.json, in notes and in errors', async () => {
  const alone = join(folder, 'weights-alone');
  mkdirSync(alone);
  const path = join(alone, 'model.safetensors');
  copyFileSync(goldenPath('bert-tiny-uncased', 'model.safetensors'), path);
  const heads = { attentionHeads: configOf('bert-tiny-uncased')['num_attention_heads'] as number };
  const notes = await withEncoder({ path: alone, ...heads }, 'bert-tiny-uncased', (encoder) => encoder.notes);
  expect(notes[0]).toContain(`there is no config.json in ${alone}`);
  await writeSafetensors(path, [
    { name: 'embeddings.word_embeddings.weight', dtype: 'F32', shape: [3], data: new Float32Array(3) },
  ]);
  const message = await refusal(openEncoder({ path: alone, layout: () => asBert([]) }));
  expect(message).toMatch(
    /^UnsupportedFile: .*weights-alone: there is no config\.json in this folder\ncopy the config\.json/,
  );
});

test('the error for missing shards names the index that needs them, and all that are missing', async () => {
  const half = join(folder, 'half');
  mkdirSync(half);
  const shard = (number: number) => `model-0000${number}-of-00003.safetensors`;
  copyFileSync(goldenPath('bert-tiny-uncased', 'model.safetensors'), join(half, shard(1)));
  copyFileSync(goldenPath('bert-tiny-uncased', 'config.json'), join(half, 'config.json'));
  const map = { a: shard(1), b: shard(2), c: shard(3) };
  writeFileSync(join(half, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  const message = await refusal(openEncoder({ path: half, layout: () => asBert([]) }));
  expect(message).toMatch(/model-00002-of-00003\.safetensors: there is no such file, and .*index\.json needs it\n/);
  expect(message).toContain(`the rest of the model: ${shard(2)} and ${shard(3)} of its 3 files`);
});
