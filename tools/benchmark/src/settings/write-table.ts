import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Example } from './sample-data.js';

const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`;
const lines = (rows: readonly string[]): string => rows.map((row) => `${row}\n`).join('');

/** The content of a table with the columns `text` and `label`, by the extension of its file. */
export const encodings = {
  csv: (rows) => lines(['text,label', ...rows.map(({ text, label }) => `${cell(text)},${cell(label)}`)]),
  jsonl: (rows) => lines(rows.map((row) => JSON.stringify(row))),
  parquet: (rows) =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: (['text', 'label'] as const).map((name) => ({
          name,
          data: rows.map((row) => row[name]),
          type: 'STRING',
        })),
      }),
    ),
} satisfies Record<string, (rows: readonly Example[]) => string | Uint8Array>;
