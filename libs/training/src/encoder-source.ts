import { isJsonObject, type JsonObject } from '@nautil/contracts';
import { UnsupportedFile } from '@nautil/formats';
import { type Encoder, openEncoder } from '@nautil/formats/encoder';
import {
  classifierWeights,
  type EncoderConfig,
  encoderLayout,
  encoderPrefix,
  initialWeight,
  parseEncoderConfig,
} from '@nautil/model';
import type { EncoderSource } from './job.js';

/** The architecture and the initial weights of a run. */
export interface InitialClassifier {
  encoder: EncoderConfig;

  /** Path of the pretrained weights, or the name of the configuration, for messages. */
  readonly file: string;

  /** Reads a weight by NeMo's name. */
  readonly read: (name: string) => Promise<Float32Array>;
  close(): Promise<void>;
}

/**
 * Opens the encoder of a run: its pretrained weights if it has any, otherwise NeMo's random initialisation. The head always
 * starts at random, N(0, 0.02). The seed determines all random weights.
 *
 * @throws what `openEncoder` throws
 */
export async function openInitialClassifier(
  source: EncoderSource,
  head: { numClasses: number; numOutputLayers: number },
  seed: number,
): Promise<InitialClassifier> {
  const { config, pretrained } = await openSource(source);
  const encoder = parseEncoderConfig(config, nameOf(source));
  const specs = new Map(classifierWeights({ encoder, ...head }).map((spec) => [spec.name, spec]));
  const inFile = new Set(pretrained?.tensors.names().map((name) => encoderPrefix + name));
  return {
    encoder,
    file: nameOf(source),
    // A file may lack the pooler, which no computation uses. NeMo requires one in an archive, so it gets initial weights.
    async read(name) {
      if (pretrained && inFile.has(name)) return pretrained.tensors.readFloat32(name.slice(encoderPrefix.length));
      return initialWeight(specs.get(name)!, seed);
    },
    async close() {
      await pretrained?.close();
    },
  };
}

/** Hugging Face's config.json of the encoder: given, found next to the weights, or inferred from them. */
export async function encoderConfigOf(source: EncoderSource): Promise<Record<string, unknown>> {
  const { config, pretrained } = await openSource(source);
  await pretrained?.close();
  return config;
}

/** As NeMo does: the configuration defines the architecture, and the weights of `lm_checkpoint` replace all others. */
async function openSource(source: EncoderSource): Promise<{ config: JsonObject; pretrained?: Encoder }> {
  const { lmCheckpoint, path } = source;
  const weights = lmCheckpoint ?? path;
  const config = isJsonObject(source.config) ? source.config : undefined;
  if (weights === undefined) {
    if (config) return { config };
    throw new UnsupportedFile(nameOf(source), 'names neither weights nor a configuration', {
      hint: 'set pretrained_model_name, lm_checkpoint, config_file or config',
    });
  }
  const pretrained = await openEncoder({
    path: weights,
    layout: encoderLayout,
    config,
    architectureFrom: lmCheckpoint === undefined ? undefined : path,
  });
  return { config: pretrained.config, pretrained };
}

const nameOf = (source: EncoderSource) => source.lmCheckpoint ?? source.path ?? 'model.language_model';
