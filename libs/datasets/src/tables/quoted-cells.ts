/** The cells of a text with tabs, if quotation marks enclose those that start with one. */
interface QuotedCells {
  /** Number of cells of each record. */
  widths: number[];

  /** Cells in quotation marks. */
  enclosed: number;

  /** Enclosed cells with a doubled mark or a line end inside, for which only a CSV writer has a reason. */
  telling: number;

  /** Whether an enclosed cell has a line end inside. */
  spansLines: boolean;

  /** Whether a cell that is not enclosed has a quotation mark, which CSV writers prevent. */
  hasStrayMarks: boolean;

  /** Whether all cells are enclosed except numbers. */
  areAllEnclosed: boolean;

  /** Whether the cells of the first record are enclosed and are not numbers. */
  isFirstEnclosed: boolean;
}

/** Share of the records that must have the columns of the first. */
const consistentShare = 0.8;

/** A line in which a cell starts with a quotation mark. */
export const startsQuotedCell = (line: string): boolean => line.startsWith('"') || line.includes('\t"');

/**
 * Whether quotation marks enclose cells of a TSV. In many files, such as GLUE's, they are characters of the texts.
 *
 * @param sample - lines, each with its end
 * @param isCut - whether the sample may end inside a record
 */
export function quotesCells(sample: string, isCut: boolean): boolean {
  const found = cellsOf(sample, isCut);
  return found !== undefined && found.enclosed > 0 && isLikely(found, sample);
}

/**
 * Whether a text that can be read as NeMo's TSV, which has no quotation, can only be from a CSV writer: every mark is where such a
 * writer puts one, and some cells have a reason for marks that a text alone has not.
 */
export function isCsvWritersTsv(sample: string, isCut: boolean): boolean {
  const found = cellsOf(sample, isCut);
  if (found === undefined || found.hasStrayMarks || found.enclosed === 0 || !isLikely(found, sample)) return false;
  const isUniform = found.widths.every((width) => width === found.widths[0]);
  return isUniform && (found.telling > 0 || (found.areAllEnclosed && found.isFirstEnclosed));
}

/** A cell over several lines is likely only if its lines are no records by themselves. */
function isLikely({ widths, spansLines }: QuotedCells, sample: string): boolean {
  const [width = 0] = widths;
  const hasWidth = (columns: number): boolean => columns === width;
  if (width < 2 || widths.filter(hasWidth).length < consistentShare * widths.length) return false;
  const lines = sample.split('\n').filter((line) => line !== '');
  return !spansLines || !lines.every((line) => hasWidth(line.split('\t').length));
}

/** Undefined if a mark that opens a cell is not closed at the end of one. */
function cellsOf(sample: string, isCut: boolean): QuotedCells | undefined {
  const found: QuotedCells = {
    widths: [],
    enclosed: 0,
    telling: 0,
    spansLines: false,
    hasStrayMarks: false,
    areAllEnclosed: true,
    isFirstEnclosed: true,
  };
  let width = 0;
  for (let at = 0; at < sample.length;) {
    const isEnclosed = sample[at] === '"';
    const end = isEnclosed ? afterClosingMark(sample, at) : nextSeparator(sample, at);
    if (end === undefined) return isCut ? found : undefined;
    if (sample[end] !== '\t' && sample[end] !== '\n') return undefined;
    const cell = sample.slice(at, end);
    at = end + 1;
    if (cell === '' && width === 0 && sample[end] === '\n') continue;
    width++;
    const isNumber = /^"?[-+]?\d*[.,]?\d*"?$/.test(cell);
    if (isEnclosed) {
      const content = cell.slice(1, -1);
      found.enclosed++;
      found.spansLines ||= content.includes('\n');
      if (/["\n]/.test(content)) found.telling++;
    } else {
      found.hasStrayMarks ||= cell.includes('"');
      found.areAllEnclosed &&= isNumber;
    }
    if (found.widths.length === 0) found.isFirstEnclosed &&= isEnclosed && !isNumber;
    if (sample[end] === '\t') continue;
    found.widths.push(width);
    width = 0;
  }
  return found;
}

/** The position after the mark that closes a cell; undefined if none does. */
function afterClosingMark(sample: string, start: number): number | undefined {
  for (let at = start + 1; ;) {
    const mark = sample.indexOf('"', at);
    if (mark === -1) return undefined;
    if (sample[mark + 1] !== '"') return mark + 1;
    at = mark + 2;
  }
}

function nextSeparator(sample: string, start: number): number | undefined {
  const separator = /[\t\n]/g;
  separator.lastIndex = start;
  return separator.exec(sample)?.index;
}
