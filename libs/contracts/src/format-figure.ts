/** A measured number for readers: at most four significant digits, which is more than evaluations of a few thousand examples determine. */
export const formatFigure = (value: number): string => String(Number(value.toPrecision(4)));
