/** A line that is not an example. */
export interface SkippedLine {
  /** 1-based. */
  line: number;

  reason: string;

  /** The start of the line. */
  excerpt: string;
}
