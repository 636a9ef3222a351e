/** Model types of the encoders that NeMo 1.23 builds (`HUGGINGFACE_MODELS` in huggingface_utils.py); others it refuses with a ValueError. */
const typesOfNemo = ['bert', 'distilbert', 'camembert', 'roberta', 'albert', 'gpt2'];

/** Files that transformers' folders of these types often lack, because tokenizer.json has their content. */
const sentencePieceFiles = new Map([
  ['albert', 'spiece.model'],
  ['camembert', 'sentencepiece.bpe.model'],
]);

export interface NemoNeeds {
  modelType: unknown;

  /** `tokenizer.tokenizer_name`. */
  tokenizerName: unknown;

  /** Whether the archive contains the file of `tokenizer.vocab_file`. */
  hasVocabularyFile: boolean;
}

/** A sentence for an archive that NeMo 1.23 cannot restore, or not from its content alone; undefined if it can. */
export function limitInNemo({ modelType, tokenizerName, hasVocabularyFile }: NemoNeeds): string | undefined {
  if (typeof modelType !== 'string') return undefined;
  if (!typesOfNemo.includes(modelType))
    return `NeMo 1.23 has no encoder of the type ${modelType}, so only Nautil opens this archive`;
  if (hasVocabularyFile) return undefined;
  const file = sentencePieceFiles.get(modelType) ?? 'file of the vocabulary';
  return `the archive has no ${file}, so NeMo looks for the tokenizer ${String(tokenizerName)} on the Hugging Face hub; with this file in the encoder's folder, the archive contains it`;
}
