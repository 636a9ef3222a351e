import { CorruptFile, MissingTensors, UnsupportedFile } from '../errors.js';

export interface HuggingFaceNames {
  /** The file's name by Hugging Face's, without prefix. */
  readonly names: ReadonlyMap<string, string>;

  /** The file's names of what is outside of the encoder. */
  readonly dropped: readonly string[];
  readonly notes: readonly string[];
}

/** The table of word embeddings of BERT and most of its relatives. */
const bertWordEmbeddings = 'embeddings.word_embeddings.weight';

/**
 * Hugging Face's names for those in a file. Whatever stands before the word embeddings is the prefix (`bert.`, `roberta.`,
 * `bert_model.`, `state_dict.bert_model.`, …); BERT's first files call a norm's weight gamma and its bias beta.
 *
 * @param anchor - Hugging Face's name of the word embeddings
 */
export function huggingFaceNames(
  inFile: readonly string[],
  path: string,
  anchor = bertWordEmbeddings,
): HuggingFaceNames {
  const prefixes = inFile
    .filter((name) => name === anchor || name.endsWith(`.${anchor}`))
    .map((name) => name.slice(0, -anchor.length));
  const [prefix] = prefixes;
  if (prefix === undefined) {
    throw new MissingTensors(path, `there is no ${anchor} in it, under any prefix`, {
      hint:
        inFile.length > 0 ? `it holds ${inFile.slice(0, 3).join(', ')}, …: is it the encoder?` : 'it holds no tensor',
    });
  }
  if (prefixes.length > 1) {
    const found = prefixes.map((name) => name || 'no prefix').join(', ');
    throw new UnsupportedFile(path, `it holds ${prefixes.length} encoders (${found})`, {
      hint: 'save the wanted one alone',
    });
  }
  const names = new Map<string, string>();
  const dropped: string[] = [];
  let oldNorms = false;
  for (const name of inFile) {
    if (!name.startsWith(prefix)) {
      dropped.push(name);
      continue;
    }
    const plain = name.slice(prefix.length);
    const modern = plain.replace(/\.gamma$/, '.weight').replace(/\.beta$/, '.bias');
    oldNorms ||= modern !== plain;
    const other = names.get(modern);
    if (other !== undefined) throw new CorruptFile(path, `${other} and ${name} are both the encoder's ${modern}`);
    names.set(modern, name);
  }
  return {
    names,
    dropped,
    notes: [
      ...(prefix === '' ? [] : [`the prefix ${prefix} was taken off the names`]),
      ...(oldNorms ? ['gamma and beta of the norms were read as weight and bias'] : []),
    ],
  };
}
