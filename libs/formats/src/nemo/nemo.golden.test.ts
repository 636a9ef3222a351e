import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { isJsonObject, type JsonObject, type JsonValue, valueAt } from '@nautil/contracts';
import { goldenFiles, goldenPath } from '@nautil/testing';
import type { TensorToWrite } from '../tensor-source.js';
import { withArchive } from '../testing/with-archive.js';
import type { NemoArchive } from './read-nemo.js';
import { type NemoToWrite, writeNemo } from './write-nemo.js';

const folder = mkdtempSync(join(tmpdir(), 'nautil-nemo-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const archives = goldenFiles('nemo', '.nemo')
  .filter((path) => !path.includes('run_artifacts'))
  .map((path) => [basename(path), path] as const);

/** NeMo's own description of the archive. Lists are [name, …] and [name, size, mode, type]. */
interface Expected {
  saved_state_dict: Record<string, [number[], string]>;
  tar: [string, number, string, string][];
}

const expectedOf = (path: string) => JSON.parse(readFileSync(`${path}.expected.json`, 'utf8')) as Expected;

const torchNames: Readonly<Record<string, string>> = { F32: 'torch.float32', I64: 'torch.int64', F16: 'torch.float16' };

function stateDict({ tensors }: NemoArchive): Record<string, [readonly number[], string | undefined]> {
  return Object.fromEntries(
    tensors.names().map((name) => {
      const { dtype, shape } = tensors.info(name);
      return [name, [shape, torchNames[dtype]]];
    }),
  );
}

/** The name of a member or reference without NeMo's random digits. */
const withoutHash = (name: string) => name.replace(/[0-9a-f]{32}_/, '');

const sameBytes = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

function keysOf(tree: JsonValue, prefix = ''): string[] {
  if (!isJsonObject(tree)) return [prefix];
  return Object.entries(tree).flatMap(([key, value]) => keysOf(value, `${prefix}/${key}`));
}

/** Everything that is needed to write the archive again. writeNemo derives the other artifacts. */
async function contentOf(archive: NemoArchive): Promise<Omit<NemoToWrite, 'path'>> {
  const { tensors, config } = archive;
  const given = archive.artifactNames.filter(
    (key) => !['tokenizer_vocab_dict', 'language_model.config_file'].includes(key),
  );
  const parsed = async (key: string) =>
    JSON.parse(Buffer.from((await archive.artifact(key)) ?? []).toString()) as Record<string, number>;
  const derived = ['tokenizer_vocab_dict', 'target', 'nemo_version'];
  const section = Object.fromEntries(Object.entries(config).filter(([key]) => !derived.includes(key)));
  return {
    config: section,
    encoderConfig: await parsed('language_model.config_file'),
    vocabulary: new Map(Object.entries(await parsed('tokenizer_vocab_dict'))),
    artifacts: await Promise.all(
      given.map(async (key) => ({
        key,
        name: withoutHash((valueAt(config, key) as string).slice('nemo:'.length)),
        content: (await archive.artifact(key)) ?? new Uint8Array(0),
      })),
    ),
    tensors: tensors
      .names()
      .map((name): TensorToWrite => ({ name, ...tensors.info(name), data: () => tensors.read(name) })),
  };
}

describe.each(archives)('%s, which NeMo wrote', (name, path) => {
  test('opens with the tensors that NeMo saved', () =>
    withArchive(path, async (archive) => {
      expect(stateDict(archive)).toEqual(expectedOf(path).saved_state_dict);
      for (const tensor of archive.tensors.names()) {
        const values = await archive.tensors.readFloat32(tensor);
        expect({ tensor, finite: values.every(Number.isFinite) }).toEqual({ tensor, finite: true });
      }
    }));

  test('resolves its artifacts: vocabulary, encoder configuration, labels', () =>
    withArchive(path, async (archive) => {
      const { config, notes } = await archive.encoderConfig();
      expect(notes).toEqual([]);
      const hidden = config['hidden_size'] ?? config['dim'];
      const words = archive.tensors.info('bert_model.embeddings.word_embeddings.weight');
      expect(words.shape).toEqual([config['vocab_size'], hidden]);
      for (const key of archive.artifactNames) expect((await archive.artifact(key))?.length).toBeGreaterThan(0);
      expect(archive.artifactNames).toEqual(expect.arrayContaining(['tokenizer.vocab_file', 'tokenizer_vocab_dict']));
      expect(await archive.artifact('tokenizer.tokenizer_model')).toBeUndefined();
      expect(archive.record).toBeUndefined();
    }));

  test('is written by Nautil with the same members, YAML keys, values, derived files and tensors', () =>
    withArchive(path, async (original) => {
      const copy = join(folder, name);
      await writeNemo({ ...(await contentOf(original)), path: copy, keepLossWeight: true });
      await withArchive(copy, async (written) => {
        const members = (listed: readonly string[]) => listed.map(withoutHash).sort();
        const truth = expectedOf(path).tar.filter(([, , , type]) => type === '0');
        expect(members(written.members.map((member) => member.name))).toEqual(
          members(truth.map(([member]) => member.slice('./'.length))),
        );
        expect(keysOf(written.config)).toEqual(keysOf(original.config));
        const unhashed = (config: JsonObject) =>
          JSON.parse(withoutHash(JSON.stringify(config).replace(/[0-9a-f]{32}_/g, ''))) as unknown;
        expect(unhashed(written.config)).toEqual(unhashed(original.config));
        for (const key of original.artifactNames) {
          const text = async (archive: NemoArchive) =>
            Buffer.from((await archive.artifact(key)) ?? []).toString('latin1');
          expect({ key, text: await text(written) }).toEqual({ key, text: await text(original) });
        }
        expect(stateDict(written)).toEqual(stateDict(original));
        expect(written.tensors.names()).toEqual(original.tensors.names());
        for (const tensor of original.tensors.names()) {
          const equal = sameBytes(await written.tensors.read(tensor), await original.tensors.read(tensor));
          expect({ tensor, equal }).toEqual({ tensor, equal: true });
        }
      });
    }));

  test('is written twice with the same bytes, and without loss.weight', () =>
    withArchive(path, async (original) => {
      const content = await contentOf(original);
      const first = await writeNemo({ ...content, path: join(folder, 'first.nemo'), record: { labels: ['a', 'b'] } });
      const second = await writeNemo({ ...content, path: join(folder, 'second.nemo'), record: { labels: ['a', 'b'] } });
      expect(second.sha256).toBe(first.sha256);
      expect(readFileSync(first.path).equals(readFileSync(second.path))).toBe(true);
      expect(first.sizeBytes).toBe(readFileSync(first.path).length);
      await withArchive(first.path, async (written) => {
        expect(written.tensors.names()).toEqual(original.tensors.names().filter((tensor) => tensor !== 'loss.weight'));
        expect(written.record).toMatchObject({ labels: ['a', 'b'] });
      });
    }));

  test('has an encoder configuration that equals the one inferred from its weights, except for the heads', () =>
    withArchive(path, async (archive) => {
      const { config: truth } = await archive.encoderConfig();
      const content = await contentOf(archive);
      const { language_model: language, ...rest } = content.config as { language_model: JsonObject } & JsonObject;
      const bare = {
        ...content,
        config: { ...rest, language_model: { ...language, config_file: null } },
        encoderConfig: undefined,
      };
      await writeNemo({ ...bare, path: join(folder, 'bare.nemo') });
      await withArchive(join(folder, 'bare.nemo'), async (without) => {
        const attentionHeads = Number(truth['num_attention_heads'] ?? truth['n_heads']);
        const { config, notes } = await without.encoderConfig({ attentionHeads });
        const unseen = ['architectures', 'hidden_act', 'activation', 'layer_norm_eps'];
        const decided = Object.keys(config).filter((key) => key in truth && !unseen.includes(key));
        for (const key of decided) expect({ key, value: config[key] }).toEqual({ key, value: truth[key] });
        expect(decided).toEqual(expect.arrayContaining(['model_type', 'vocab_size', 'max_position_embeddings']));
        expect(notes.join('\n')).toMatch(/read off the weights/);
      });
    }));

  test('an encoder configuration that is a section is read as it is, also under the names of DistilBERT', () =>
    withArchive(path, async (archive) => {
      const { language_model: language, ...rest } = archive.config as { language_model: JsonObject } & JsonObject;
      for (const section of [
        { hidden_size: 12, num_hidden_layers: 1 },
        { model_type: 'distilbert', dim: 12 },
      ]) {
        await writeNemo({
          ...(await contentOf(archive)),
          config: { ...rest, language_model: { ...language, config_file: null, config: section } },
          encoderConfig: undefined,
          path: join(folder, 'section.nemo'),
        });
        await withArchive(join(folder, 'section.nemo'), async (written) => {
          expect(await written.encoderConfig()).toEqual({ config: section, notes: [] });
        });
      }
    }));
});

test('the gzip form of NeMo up to 1.6 opens like the uncompressed form', () =>
  withArchive(goldenPath('nemo-files/sample_tiny_gz.nemo'), async (archive) => {
    const { openTensors } = await import('../open-tensors.js');
    const truth = await openTensors(goldenPath('nemo-files/tiny_final_adam_wd0.01.safetensors'));
    expect(archive.tensors.names().sort()).toEqual(truth.names().sort());
    for (const name of truth.names()) {
      const equal = sameBytes(await archive.tensors.read(name), await truth.read(name));
      expect({ name, equal }).toEqual({ name, equal: true });
    }
    await truth.close();
    expect(valueAt(archive.config, 'nemo_version')).toBe('1.8.2');
  }));

test("the archive of a whole NeMo run opens, and its configuration is the run's", () =>
  withArchive(goldenPath('nemo/run_artifacts/tiny_bert_sst2.nemo'), async (archive) => {
    const { parseNemoYaml } = await import('./nemo-yaml.js');
    const path = goldenPath('nemo/run_artifacts/model_config_tiny.yaml');
    expect(keysOf(archive.config)).toEqual(keysOf(parseNemoYaml(readFileSync(path), path)));
  }));
