/** The formats of tables, as messages name them. */
export type TableFormat = 'CSV' | 'TSV' | 'JSON Lines' | 'JSON' | 'Parquet' | "NeMo's TSV" | 'class folders';

/** The values of one row, in the order of the requested columns; what a row lacks is undefined or null. */
export interface TableRow {
  /** The number of the line on which the row starts, or of the row, from 1; see `Table.placeOf`. */
  position: number;

  values: readonly unknown[];
}

/** Labelled data in named columns, which is read as a stream. */
export interface Table {
  /** The file, or the folder of class folders. */
  readonly path: string;

  readonly format: TableFormat;

  /** Details of the format that its reader recognised: the delimiter, compression, or a missing header. */
  readonly details: readonly string[];

  /** What separates the cells of a CSV file or a TSV; absent in other formats. */
  readonly delimiter?: string;

  /** Names of the columns in the order of the file. Those of a file without a header are "1", "2", … */
  readonly columns: readonly string[];

  /** Whether labels are ids of classes, whatever the names of the classes are, as in NeMo's format; absent: no. */
  readonly labelsAreIds?: boolean;

  /** Names of the classes by label, of the columns whose file defines them (a ClassLabel of Hugging Face's datasets). */
  readonly classNames: ReadonlyMap<string, readonly string[]>;

  /**
   * Reads the values of some columns, in batches of rows. It may be called again, and reads from the start.
   *
   * @throws DataError that names the place of the first row that can't be read
   */
  rows: (columns: readonly string[]) => AsyncIterable<readonly TableRow[]>;

  /** Where a row is, for messages: `train.csv:7`, `train.parquet: row 7`, or the file of a text. */
  placeOf: (position: number) => string;
}

/** Number of rows in a batch that a reader collects from single ones. */
export const batchRows = 512;

/** Collects rows into batches. */
export async function* inBatches(rows: AsyncIterable<TableRow>): AsyncGenerator<TableRow[]> {
  let batch: TableRow[] = [];
  for await (const row of rows) {
    batch.push(row);
    if (batch.length < batchRows) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
