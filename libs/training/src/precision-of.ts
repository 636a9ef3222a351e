import type { Config } from '@nautil/config';

/** The number format of matrix multiplications that `trainer.precision` names. */
export const precisionOf = ({ precision }: Pick<Config['trainer'], 'precision'>): 'bfloat16' | 'float32' =>
  precision === 'bf16' || precision === 'bf16-mixed' ? 'bfloat16' : 'float32';
