import type { ConfigValues } from '../config-keys.js';
import type { EncoderConfig } from '../encoder-config.js';
import { albert } from './albert.js';
import { bert } from './bert.js';
import { debertaV2 } from './deberta-v2.js';
import { distilbert } from './distilbert.js';
import { electra } from './electra.js';
import type { Family } from './family.js';
import { megatronBert } from './megatron-bert.js';
import { modernBert } from './modernbert.js';
import { mpnet } from './mpnet.js';
import { roberta } from './roberta.js';

/** Every family that this lib computes. A new one is added here and in a file of its own. */
const families: readonly Family[] = [
  bert,
  roberta,
  distilbert,
  megatronBert,
  albert,
  electra,
  mpnet,
  debertaV2,
  modernBert,
];

/** The families by Hugging Face's `model_type`, with transformers' defaults for the keys of that type. */
export const modelTypes: ReadonlyMap<string, { family: Family; defaults: ConfigValues }> = new Map(
  families.flatMap((family) =>
    Object.entries(family.modelTypes).map(([modelType, defaults]) => [modelType, { family, defaults }] as const),
  ),
);

/** The family of a parsed configuration. */
export function familyOf({ modelType }: EncoderConfig): Family {
  const known = modelTypes.get(modelType);
  if (known === undefined) throw new Error(`the configuration has the model type ${modelType}, which no family has`);
  return known.family;
}

export type { Family, OnnxFamily } from './family.js';
