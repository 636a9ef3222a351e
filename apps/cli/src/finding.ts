/** The result of one check of `nautil doctor`. */
export interface Finding {
  /** `warning`: works, but deserves attention. */
  state: 'ok' | 'warning' | 'problem';

  name: string;
  detail: string;

  /** How to fix it. */
  remedy?: string;
}
