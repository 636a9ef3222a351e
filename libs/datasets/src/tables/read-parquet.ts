import type { ParquetIndex } from './parquet-file.js';
import { ParquetThread } from './parquet-thread.js';
import { exactReader } from './parquet-values.js';
import type { Table } from './table.js';

/**
 * A Parquet file, which a thread reads in slices of rows, and only in the selected columns.
 *
 * @throws DataError for a file whose index can't be read
 */
export async function parquetTable(path: string, isGzip: boolean): Promise<Table> {
  const { columns, classNames } = await withThread(
    { path, isGzip },
    (thread) => thread.ask('index') as Promise<ParquetIndex>,
  );
  return {
    path,
    format: 'Parquet',
    details: isGzip ? ['packed by gzip'] : [],
    columns: columns.map(({ name }) => name),
    classNames,
    placeOf: (position) => `${path}: row ${position}`,
    rows: async function* (selected) {
      const readers = selected.map((name) => {
        const column = columns.find((one) => one.name === name);
        return column && exactReader(column);
      });
      const exact = (value: unknown, at: number): unknown => (readers[at] ? readers[at](value) : value);
      const thread = new ParquetThread({ path, isGzip });
      try {
        let position = 0;
        for (;;) {
          const rows = (await thread.ask({ columns: selected })) as unknown[][] | undefined;
          if (rows === undefined) return;
          yield rows.map((values) => ({ position: (position += 1), values: values.map(exact) }));
        }
      } finally {
        await thread.close();
      }
    },
  };
}

async function withThread<T>(
  input: ConstructorParameters<typeof ParquetThread>[0],
  use: (thread: ParquetThread) => Promise<T>,
): Promise<T> {
  const thread = new ParquetThread(input);
  try {
    return await use(thread);
  } finally {
    await thread.close();
  }
}
