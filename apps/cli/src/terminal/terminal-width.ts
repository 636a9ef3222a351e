/** A terminal, or a file or pipe in place of one. */
export type Screen = NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };

/** The number of cells in a line of a terminal; any number elsewhere, so that files and pipes get complete tables. */
export const terminalWidth = (stream: Pick<Screen, 'isTTY' | 'columns'> = process.stdout): number =>
  stream.isTTY ? stream.columns || 80 : Infinity; // a terminal of unknown size has 0 columns
