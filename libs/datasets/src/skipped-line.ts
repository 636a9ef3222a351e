/** A line that is not an example. */
export interface SkippedLine {
  /** 1-based. */
  line: number;

  reason: string;

  /** The whole line. */
  content: string;
}
