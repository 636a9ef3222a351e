import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { MissingTensors, openTensors, UnsupportedFile, type TensorSource } from '@nautil/checkpoint';
import { initialWeight, parseEncoderConfig, type EncoderConfig } from '@nautil/model';
import { classifierWeights, encoderPrefix, type ClassifierShape } from './classifier-graph.js';
import type { EncoderSource } from './job.js';

/** The architecture and the first weights of a run. */
export interface InitialClassifier {
  encoder: EncoderConfig;

  /** By NeMo's name; undefined for a weight that is in no file and that no forward pass uses. */
  read(this: void, name: string): Promise<Float32Array | undefined>;
  close(): Promise<void>;
}

/**
 * Opens the encoder of a run: pretrained weights where there are any, else NeMo's random initialisation; the head is
 * always new, N(0, 0.02) by the seed.
 *
 * @throws MissingTensors when the weights lack one that the architecture needs; UnsupportedEncoder, UnsupportedFile.
 */
export async function openInitialClassifier(
  source: EncoderSource,
  head: Omit<ClassifierShape, 'encoder'>,
  seed: number,
): Promise<InitialClassifier> {
  const encoder = parseEncoderConfig(await encoderConfigOf(source), source.path ?? 'model.language_model.config');
  const weights = source.lmCheckpoint ?? source.path;
  const pretrained = weights === undefined ? undefined : await openWeights(weights);
  const specs = new Map(classifierWeights({ encoder, ...head }).map((spec) => [spec.name, spec]));
  return {
    encoder,
    async read(name) {
      const spec = specs.get(name)!;
      if (pretrained === undefined || !name.startsWith(encoderPrefix)) return initialWeight(spec, seed);
      return pretrained.read(name.slice(encoderPrefix.length), spec.used);
    },
    async close() {
      await pretrained?.source.close();
    },
  };
}

/** Hugging Face's config.json of the encoder: given, or beside the weights. */
export async function encoderConfigOf(source: EncoderSource): Promise<Record<string, unknown>> {
  if (source.config) return source.config;
  if (source.path === undefined)
    throw new UnsupportedFile('model.language_model', 'names neither weights nor a config');
  const folder = (await stat(source.path)).isDirectory() ? source.path : dirname(source.path);
  const file = join(folder, 'config.json');
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new UnsupportedFile(file, `can't be read: ${error instanceof Error ? error.message : String(error)}`, {
      hint: 'an encoder needs its config.json beside the weights, or model.language_model.config_file',
    });
  }
}

interface Pretrained {
  source: TensorSource;
  read(name: string, required: boolean): Promise<Float32Array | undefined>;
}

async function openWeights(path: string): Promise<Pretrained> {
  const source = await openTensors(await weightsFile(path));
  const byName = new Map(source.names().map((name) => [plainName(name), name]));
  return {
    source,
    async read(name, required) {
      const found = byName.get(name);
      if (found !== undefined) return source.readFloat32(found);
      if (required) throw new MissingTensors(path, `the weight ${name} is missing`);
      return undefined;
    },
  };
}

async function weightsFile(path: string): Promise<string> {
  if (!(await stat(path)).isDirectory()) return path;
  for (const name of ['model.safetensors', 'pytorch_model.bin']) {
    const file = join(path, name);
    if (
      await stat(file).then(
        (s) => s.isFile(),
        () => false,
      )
    )
      return file;
  }
  throw new UnsupportedFile(path, 'holds neither model.safetensors nor pytorch_model.bin', {
    hint: `name a folder in Hugging Face's layout; ${basename(path)} has other files`,
  });
}

/** Hugging Face's names without a task model's prefix, and with today's names of LayerNorm's parts. */
const plainName = (name: string): string =>
  name
    .replace(/^(?:state_dict\.)?(?:bert|roberta|distilbert)(?:_model)?\./, '')
    .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
    .replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
