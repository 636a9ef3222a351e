/** A labelled text, or pair of texts, and the line of the file that it comes from. */
export interface Example {
  /** 1-based. */
  line: number;

  text: string;

  /** The second text of a pair. */
  textPair?: string;
  label: number;
}
