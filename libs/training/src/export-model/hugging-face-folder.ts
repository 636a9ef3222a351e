import { basename } from 'node:path';
import type { JsonObject } from '@nautil/contracts';
import { encoderPrefix, huggingFaceClassifier, initialWeight } from '@nautil/model';
import { huggingFaceTokenizer } from '@nautil/tokenization';
import type { ClassifierModel } from '../classifier-model.js';
import type { ClassifierSource } from '../classifier-source.js';
import { modelCard } from './model-card.js';

/** Keys of an encoder's config.json that state how its own files were written, or that name code of its own. */
const keysOfFiles = ['_name_or_path', 'auto_map', 'dtype', 'torch_dtype', 'transformers_version'];

/**
 * The classifier as a folder of Hugging Face's: the content of its small files by name, in the order in which they are to be written, and
 * its weights, each of which is computed when it is written.
 *
 * @throws NoTransformersClass, TokenizerError
 */
export function huggingFaceFolder(model: ClassifierModel, source: ClassifierSource) {
  const { encoder, head, pairs, path } = model;
  const { tokenizer, encoderConfig } = source;
  const classifier = huggingFaceClassifier({ encoder, head, pairs, config: encoderConfig, source: path });
  const maxTokens = Math.min(source.maxSeqLength, encoder.maxLength);
  const { files, notes } = huggingFaceTokenizer(tokenizer, { maxTokens, hasTypes: classifier.hasTypes });
  const names = Array.from({ length: head.numClasses }, (_, id) => source.labels?.[id] ?? `LABEL_${id}`);
  const config = { ...without(keysOfFiles, classifier.config), ...labelsOf(names) };
  return {
    files: {
      ...Object.fromEntries(Object.entries(files).map(([name, content]) => [name, jsonText(content)])),
      'README.md': modelCard({ name: basename(path), source, classifier, labels: names, maxTokens, notes }),
      // Last: a folder without it is no model.
      'config.json': jsonText(config),
    },
    weights: classifier.weights.map(({ name, shape, read }) => ({
      name,
      dtype: 'F32' as const,
      shape,
      data: () => read((weight) => readWeight(model, weight)),
    })),
    notes,
  };
}

/** The value of a weight. One that nothing computes with and that the file lacks gets an initial value, as in an archive. */
async function readWeight({ specs, read }: ClassifierModel, name: string): Promise<Float32Array> {
  const spec = specs.find((one) => one.name === name || one.name === encoderPrefix + name)!;
  return (await read(spec.name)) ?? initialWeight(spec, 0);
}

const labelsOf = (names: readonly string[]) => ({
  id2label: Object.fromEntries(names.map((name, id) => [id, name])),
  label2id: Object.fromEntries(names.map((name, id) => [name, id])),
  problem_type: 'single_label_classification',
});

const without = (keys: readonly string[], config: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(config).filter(([key]) => !keys.includes(key)));

const jsonText = (value: JsonObject): string => `${JSON.stringify(value, null, 2)}\n`;
