import type { ColumnFlags } from '../column-options.js';

/** The options of `nautil new`. */
export interface NewFlags extends ColumnFlags {
  data?: string;
  validation?: string;
  test?: string;
  encoder?: string;
  output?: string;
  yes?: true;
  force?: true;
}
