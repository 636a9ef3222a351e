/** A terminal, or a file or pipe in place of one. */
export type Screen = NodeJS.WritableStream & { isTTY?: boolean; columns?: number; rows?: number };

/** The number of cells in a line of a terminal; any number elsewhere, so that files and pipes get complete tables. */
export const terminalWidth = (stream: Pick<Screen, 'isTTY' | 'columns'> = process.stdout): number =>
  stream.isTTY ? orUsual(stream.columns, 80) : Infinity;

export const terminalHeight = ({ rows }: Pick<Screen, 'rows'>): number => orUsual(rows, 24);

/** A terminal of unknown size has 0 columns and rows. */
const orUsual = (size: number | undefined, usual: number): number => (size === undefined || size === 0 ? usual : size);
