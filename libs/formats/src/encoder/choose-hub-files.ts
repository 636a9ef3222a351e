import { basename } from 'node:path';
import { UnsupportedFile } from '../errors.js';
import { isTokenizerFile, vocabularyNames } from './encoder-files.js';

/** The parts of a model that a run needs. */
export interface NeededParts {
  readonly config: boolean;
  readonly weights: boolean;
  readonly tokenizer: boolean;
}

/** The forms in which weights are published, in order of preference. Only one form is downloaded. */
const weightForms: readonly RegExp[] = [
  /^model\.safetensors$/,
  /^model(?:\.safetensors\.index\.json|-\d+-of-\d+\.safetensors)$/,
  /^pytorch_model\.bin$/,
  /^pytorch_model(?:\.bin\.index\.json|-\d+-of-\d+\.bin)$/,
];

/**
 * Chooses the files to download from a model's listing on the hub. The configuration comes first, so that an unsupported
 * architecture is refused before gigabytes of weights are downloaded.
 *
 * @throws UnsupportedFile when a needed part is not in the listing
 */
export function chooseHubFiles(model: string, listing: readonly string[], needed: NeededParts): string[] {
  return [
    ...(needed.config ? chooseConfig(model, listing) : []),
    ...(needed.tokenizer ? chooseTokenizer(model, listing) : []),
    ...(needed.weights ? chooseWeights(model, listing) : []),
  ];
}

function chooseConfig(model: string, listing: readonly string[]): string[] {
  if (listing.includes('config.json')) return ['config.json'];
  throw new UnsupportedFile(`${model} on the hub`, 'it has no config.json: it is not a transformers model');
}

function chooseTokenizer(model: string, listing: readonly string[]): string[] {
  const files = listing.filter(isTokenizerFile);
  if (files.some((path) => vocabularyNames.includes(path))) return files;
  throw new UnsupportedFile(`${model} on the hub`, `it has no tokenizer: none of ${vocabularyNames.join(', ')}`, {
    hint: 'set model.tokenizer.tokenizer_name to a model that has one, or model.tokenizer.vocab_file',
  });
}

function chooseWeights(model: string, listing: readonly string[]): string[] {
  const forms = weightForms.map((form) => listing.filter((path) => form.test(path)));
  const files = forms.find(({ length }) => length > 0);
  if (files !== undefined) return files;
  const others = listing.filter((path) => /\.(?:h5|msgpack|onnx|gguf|ot)$/.test(path)).map((path) => basename(path));
  throw new UnsupportedFile(
    `${model} on the hub`,
    others.length > 0 ? `its weights, ${others.slice(0, 3).join(', ')}, are of another framework` : 'it has no weights',
    { hint: 'model.safetensors or pytorch_model.bin is needed, whole or in shards' },
  );
}
