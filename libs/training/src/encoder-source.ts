import type { JsonObject } from '@nautil/contracts';
import { openEncoder, readEncoderConfig, UnsupportedFile, type Encoder, type EncoderLayout } from '@nautil/formats';
import { encoderWeights, initialWeight, parseEncoderConfig, type EncoderConfig } from '@nautil/model';
import { classifierWeights, encoderPrefix, type ClassifierShape } from './classifier-graph.js';
import type { EncoderSource } from './job.js';

/** The architecture and the first weights of a run. */
export interface InitialClassifier {
  encoder: EncoderConfig;

  /** By NeMo's name. */
  read(this: void, name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens the encoder of a run: pretrained weights where there are any, else NeMo's random initialisation; the head is
 * always new, N(0, 0.02) by the seed.
 *
 * @throws MissingTensors when the weights lack one that the architecture needs; UnsupportedEncoder, CorruptFile,
 * FileUnavailable, UnsafePickle, UnsupportedFile.
 */
export async function openInitialClassifier(
  source: EncoderSource,
  head: Omit<ClassifierShape, 'encoder'>,
  seed: number,
): Promise<InitialClassifier> {
  const { config, pretrained } = await openSource(source);
  const encoder = parseEncoderConfig(config, nameOf(source));
  const specs = new Map(classifierWeights({ encoder, ...head }).map((spec) => [spec.name, spec]));
  const inFile = new Set(pretrained?.tensors.names().map((name) => encoderPrefix + name));
  return {
    encoder,
    // A file may lack the pooler, which nothing uses; NeMo's archives hold one all the same, and NeMo demands it.
    async read(name) {
      if (pretrained && inFile.has(name)) return pretrained.tensors.readFloat32(name.slice(encoderPrefix.length));
      return initialWeight(specs.get(name)!, seed);
    },
    async close() {
      await pretrained?.close();
    },
  };
}

/** Hugging Face's config.json of the encoder: given, beside the weights, or derived from them. */
export async function encoderConfigOf(source: EncoderSource): Promise<Record<string, unknown>> {
  const { config, pretrained } = await openSource(source);
  await pretrained?.close();
  return config;
}

const layout: EncoderLayout = (config, source) => encoderWeights(parseEncoderConfig(config, source));

/** As NeMo goes about it: the configuration makes the architecture, and `lm_checkpoint`'s weights go over all others. */
async function openSource(source: EncoderSource): Promise<{ config: JsonObject; pretrained?: Encoder }> {
  const path = source.lmCheckpoint ?? source.path;
  const given = source.config as JsonObject | undefined;
  if (path === undefined) {
    if (given) return { config: given };
    throw new UnsupportedFile(nameOf(source), 'names neither weights nor a configuration', {
      hint: 'set pretrained_model_name, lm_checkpoint, config_file or config',
    });
  }
  const besidePath =
    given === undefined && source.lmCheckpoint !== undefined && source.path !== undefined
      ? await readEncoderConfig(source.path)
      : undefined;
  const pretrained = await openEncoder({ path, layout, config: given ?? besidePath });
  return { config: pretrained.config, pretrained };
}

const nameOf = (source: EncoderSource) => source.lmCheckpoint ?? source.path ?? 'model.language_model';
