/** The tokenizer files that work, for hints. */
export const supported =
  'supported: tokenizer.json (WordPiece, BPE, Unigram); vocab.txt (BERT, DistilBERT, ELECTRA, Megatron-BERT, MPNet); vocab.json with ' +
  'merges.txt (RoBERTa); spiece.model, sentencepiece.bpe.model or spm.model (ALBERT, XLM-R, CamemBERT, DeBERTa-v2 and v3)';
