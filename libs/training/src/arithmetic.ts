import { availableParallelism } from 'node:os';
import { type Config, readProcessor } from '@nautil/config';
import { openTensorFlow } from '@nautil/tensorflow';

/**
 * What the rounding of a training depends on, and therefore the bytes of its weights: two runs of one configuration have equal bytes if
 * this is equal.
 *
 * @param device - TensorFlow's name
 */
export function arithmeticOf(
  device: string,
  { intra_op_threads: threads }: Pick<Config['nautil'], 'intra_op_threads'>,
): string {
  const { version, onednn } = openTensorFlow();
  // oneDNN's own variable: it uses no newer instructions than these.
  const limit = process.env['ONEDNN_MAX_CPU_ISA'];
  const parts = [
    `TensorFlow ${version} with${onednn ? '' : 'out'} oneDNN`,
    `${readProcessor().instructions}${limit ? ` limited to ${limit}` : ''}`,
    `${threads === 0 ? availableParallelism() : threads} threads`,
  ];
  return `${device}, ${parts.join(', ')}`;
}
