export type Split = 'train' | 'dev' | 'test';

/** A text and its label, before it becomes a line of a TSV. */
export interface Row {
  text: string;
  label: number;
}

export interface ConvertOptions {
  /** The folder that holds the original files. */
  source: string;

  /** Lower-cases the texts. */
  doLowerCase: boolean;

  /** Does what NeMo's import_datasets.py does, its defects included. */
  nemoCompatible: boolean;

  /** Told what was left out. */
  note: (text: string) => void;
}

/** What a dataset's original files become. */
export interface Conversion {
  /** In the order in which they are written. */
  splits: Partial<Record<Split, () => AsyncIterable<Row>>>;

  /** Name and content of the file of class names; asked for after the last row. */
  labels?: () => { name: string; content: string };
}

/** Finds the original files below `options.source`; their rows are read when they are asked for. */
export type Converter = (options: ConvertOptions) => Promise<Conversion>;
