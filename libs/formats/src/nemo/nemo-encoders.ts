/** Model types of the encoders that NeMo 1.23 builds (`HUGGINGFACE_MODELS` in huggingface_utils.py); others it refuses with a ValueError. */
const typesOfNemo = ['bert', 'distilbert', 'camembert', 'roberta', 'albert', 'gpt2'];

/** A sentence for an archive that NeMo 1.23 cannot restore because of its encoder; undefined if it can. */
export function unknownToNemo(modelType: unknown): string | undefined {
  if (typeof modelType !== 'string' || typesOfNemo.includes(modelType)) return undefined;
  return `NeMo 1.23 has no encoder of the type ${modelType}, so only Nautil opens this archive`;
}
