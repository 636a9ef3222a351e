/** A terminal, or a file or pipe in place of one. */
export type Screen = NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };

/**
 * The number of cells in a line of a terminal. Elsewhere it is that of the variable COLUMNS, as in other programs, and any number
 * without it, so that files and pipes get complete tables.
 */
export const terminalWidth = (stream: Pick<Screen, 'isTTY' | 'columns'> = process.stdout): number =>
  stream.isTTY ? orUsual(stream.columns, 80) : columnsVariable();

/** The number of cells in a line of prose: longer ones are hard to read. A pipe gets each sentence as one line, for programs. */
export function proseWidth(): number {
  const width = terminalWidth();
  return width === Infinity ? width : Math.min(120, width);
}

function columnsVariable(): number {
  const { COLUMNS = '' } = process.env;
  return /^[1-9]\d{0,5}$/.test(COLUMNS) ? Number(COLUMNS) : Infinity;
}

export const terminalHeight = ({ rows }: Pick<Screen, 'rows'>): number => orUsual(rows, 24);

/** A terminal of unknown size has 0 columns and rows. */
const orUsual = (size: number | undefined, usual: number): number => (size === undefined || size === 0 ? usual : size);
