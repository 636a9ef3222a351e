import type { Config } from '@nautil/config';
import type { Precision } from '@nautil/tensorflow';

/** With this variable, processors compute in float16 too: slowly, for tests of what GPUs compute. */
const everywhere = 'NAUTIL_FLOAT16_ON_CPU';

/**
 * The number format of matrix multiplications that `trainer.precision` names. Precision 16 is float16 on a GPU, as in Lightning, and bfloat16
 * on a processor, which has no fast float16.
 *
 * @param device - TensorFlow's name
 */
export function precisionOf({ precision }: Pick<Config['trainer'], 'precision'>, device: string): Precision {
  switch (String(precision)) {
    case 'bf16':
    case 'bf16-mixed':
      return 'bfloat16';
    case '16':
    case '16-mixed':
      return isGpu(device) || process.env[everywhere] === '1' ? 'float16' : 'bfloat16';
    default:
      return 'float32';
  }
}

/** @param device - TensorFlow's name, or a list of names */
export const isGpu = (device: string): boolean => /GPU:\d+/i.test(device);
