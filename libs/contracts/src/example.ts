/** A labelled text and the line of the file that it comes from. */
export interface Example {
  /** 1-based. */
  line: number;

  text: string;
  label: number;
}
