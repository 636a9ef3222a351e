/** A size of the work, and what is measured at each of its values. */
export interface Axis {
  /** For `--only`. */
  name: string;

  /** What grows, for the report. */
  title: string;

  /** Why it grows as it does, in full sentences. */
  remark: string;
  sizes: number[];
  quickSizes: number[];

  /** One of `src/ours`. */
  program: string;
  args: (size: number) => Promise<string[]> | string[];

  /** The figures of the program's output, and what they are. */
  figures: Record<string, { title: string; unit: string }>;
}
