import { ConfigKeys } from './config-keys.js';
import type { EncoderConfig } from './encoder-config.js';
import { UnsupportedEncoder } from './errors.js';
import { modelTypes } from './families/index.js';
import { shownValue } from './shown-value.js';
import { whyUnsupported } from './unsupported-type.js';

/**
 * Reads a Hugging Face config.json. Missing keys get transformers' defaults. Throws `UnsupportedEncoder` for other
 * architectures, and for settings under which `encode` would compute other numbers than transformers.
 *
 * @param json - the parsed file. Google's bert_config.json, which has no `model_type`, is read as BERT's if nothing contradicts it.
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
    const message = `${source}: the model type ${shownValue(modelType)} is not supported`;
    throw new UnsupportedEncoder(why === undefined ? message : `${message}: ${why}`, { hint });
  }
  if ((given['model_type'] ?? undefined) === undefined) requireBert(given, source, hint);
  const { family, defaults } = known;
  const { standardNames = {} } = family;
  return family.parse(new ConfigKeys({ given, family: { defaults, standardNames }, modelType, source }));
}

/**
 * Rejects a file without `model_type` that names another architecture, or has a key of another family: Google's albert_config.json
 * has the keys of BERT, and three more. The weights of a RoBERTa would even have BERT's names and shapes.
 */
function requireBert(given: Readonly<Record<string, unknown>>, source: string, hint: string): void {
  const architectures = given['architectures'] ?? [];
  const names: unknown[] = Array.isArray(architectures) ? architectures : [architectures];
  const other = names.find((name) => typeof name !== 'string' || !name.startsWith('Bert'));
  const key = Object.keys(given).find((name) => keysOfOthers.has(name));
  if (other === undefined && key === undefined) return;
  const reason =
    other === undefined ? `the key ${key}, which BERT does not have` : `the architecture ${shownValue(other)}`;
  throw new UnsupportedEncoder(`${source}: there is no model_type, and ${reason}`, {
    hint: `add the model_type to the file; ${hint}`,
  });
}

/** The keys of other families that BERT's files do not have. */
const keysOfOthers: ReadonlySet<string> = new Set(
  [...modelTypes.values()]
    .flatMap(({ defaults }) => Object.keys(defaults))
    .filter((key) => !Object.hasOwn(modelTypes.get('bert')!.defaults, key)),
);
