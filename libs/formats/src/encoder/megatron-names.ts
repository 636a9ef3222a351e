/** Whether NeMo resolves the name through NGC. Such names exist on no Hugging Face hub. */
export const isMegatronName = (name: string): boolean => megatronDownloadHint(name, '') !== undefined;

/**
 * What to download for a name that NeMo resolves through NGC, and into which folder. Accepts the spellings of all NeMo
 * versions. Undefined for any other name.
 */
export function megatronDownloadHint(name: string, folder: string): string[] | undefined {
  const [, biomedical, rest = ''] = /^(bio)?megatron[-_]?(.*)$/.exec(name.replaceAll('_', '-')) ?? [];
  if (!/^(?:bert-)?(?:345m-?)?(?:biovocab-(?:30|50)k-)?(?:un)?cased$/.test(rest)) return undefined;
  if (rest.includes('biovocab')) {
    return [
      'NGC has this model only as a .nemo archive of NeMo Megatron, which Nautil does not read',
      'download a Megatron-LM checkpoint (biomegatron-bert-345m-uncased has one), or one converted to Hugging Face',
    ];
  }
  const casing = rest.endsWith('uncased') ? 'uncased' : 'cased';
  const install = `and put it into ${folder}, or give its path as model.language_model.lm_checkpoint`;
  if (biomedical) return [`download MegatronBERT.pt of the NGC model nvidia/biomegatron345m${casing},`, install];
  if (!rest.includes('345m')) {
    return ['this name stands for a Megatron-LM checkpoint of your own: take its model_optim_rng.pt', install];
  }
  return [
    `download release/mp_rank_00/model_optim_rng.pt of the NGC model nvidia/megatron_bert_345m, version v0.1_${casing},`,
    install,
  ];
}

/** The Hugging Face model whose tokenizer a name means: NeMo gives Megatron-LM's models BERT-large's vocabularies. */
export function tokenizerModel(name: string): string {
  if (!isMegatronName(name) || name.includes('biovocab')) return name;
  return name.endsWith('uncased') ? 'bert-large-uncased' : 'bert-large-cased';
}
