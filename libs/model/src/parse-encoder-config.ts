import { ConfigKeys } from './config-keys.js';
import type { EncoderConfig } from './encoder-config.js';
import { UnsupportedEncoder } from './errors.js';
import { modelTypes } from './families/index.js';
import { whyUnsupported } from './unsupported-type.js';

/**
 * Reads a Hugging Face config.json. Missing keys get transformers' defaults. Throws `UnsupportedEncoder` for other
 * architectures, and for settings under which `encode` would compute other numbers than transformers.
 *
 * @param json - the parsed file. Google's bert_config.json, which has no `model_type`, is read as BERT's.
 * @param source - the file's name, for error messages.
 */
export function parseEncoderConfig(json: unknown, source: string): EncoderConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new UnsupportedEncoder(`${source}: an encoder's configuration is a JSON object`);
  }
  const given = json as Readonly<Record<string, unknown>>;
  const modelType = given['model_type'] ?? ('hidden_size' in given ? 'bert' : undefined);
  const known = typeof modelType === 'string' ? modelTypes.get(modelType) : undefined;
  const hint = `supported model types: ${[...modelTypes.keys()].join(', ')}`;
  if (known === undefined || typeof modelType !== 'string') {
    if (modelType === undefined) throw new UnsupportedEncoder(`${source}: there is no model_type`, { hint });
    const why = typeof modelType === 'string' ? whyUnsupported(modelType, given) : undefined;
    const message = `${source}: the model type ${JSON.stringify(modelType)} is not supported`;
    throw new UnsupportedEncoder(why === undefined ? message : `${message}: ${why}`, { hint });
  }
  const { family, defaults } = known;
  const { standardNames = {} } = family;
  return family.parse(new ConfigKeys({ given, family: { defaults, standardNames }, modelType, source, hint }));
}
