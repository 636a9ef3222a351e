export type Split = 'train' | 'dev' | 'test';

/** A text and its label before they are written as a line of TSV. */
export interface Row {
  text: string;
  label: number;
}

export interface ConvertOptions {
  /** Folder of the original files. */
  source: string;

  /** Lower-cases the texts. */
  doLowerCase: boolean;

  /** Reproduces NeMo's import_datasets.py, including its defects. */
  nemoCompatible: boolean;

  /** Called for each omission. */
  note: (text: string) => void;
}

/** The converted rows and class names of a dataset. */
interface Conversion {
  /** Rows by split, in writing order. */
  splits: Partial<Record<Split, () => AsyncIterable<Row>>>;

  /** Name and content of the file of class names; called after the last row, because some names come from the rows. */
  labels?: () => { name: string; content: string };
}

/** Finds the original files below `options.source`; rows are read lazily. */
export type Converter = (options: ConvertOptions) => Promise<Conversion>;

/** The remedy for a file with labels that the dataset cannot have: the class names that are written would be wrong. */
export const notOriginal = (dataset: string): string =>
  `import reads only the original files of ${dataset}; a file of your own needs no import: write on each line a text, a tab, and a label, and train with model.train_ds.file_path=FILE`;
