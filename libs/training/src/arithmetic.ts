import { availableParallelism } from 'node:os';
import { type Config, readProcessor } from '@nautil/config';
import { openTensorFlow } from '@nautil/tensorflow';
import { isGpu, precisionOf } from './precision-of.js';

interface Settings {
  trainer: Pick<Config['trainer'], 'precision' | 'compile' | 'deterministic'>;
  nautil: Pick<Config['nautil'], 'intra_op_threads' | 'tf32'>;
}

/**
 * What the rounding of a training depends on, and therefore the bytes of its weights: two runs of one configuration have equal bytes if
 * this is equal.
 *
 * @param device - TensorFlow's name, or those of several
 */
export function arithmeticOf(device: string, { trainer, nautil }: Settings): string {
  const { intra_op_threads: threads, tf32 } = nautil;
  const { version, onednn } = openTensorFlow();
  // oneDNN's own variable: it uses no newer instructions than these.
  const limit = process.env['ONEDNN_MAX_CPU_ISA'];
  const parts = [
    `TensorFlow ${version} with${onednn ? '' : 'out'} oneDNN`,
    `${readProcessor().instructions}${limit ? ` limited to ${limit}` : ''}`,
    `${threads === 0 ? availableParallelism() : threads} threads`,
    // Every other precision names its format.
    ...(String(trainer.precision).startsWith('16') ? [precisionOf(trainer, device)] : []),
    ...(isGpu(device) ? [`TF32 ${tf32 ? 'on' : 'off'}`] : []),
    ...(trainer.compile ? ['XLA'] : []),
    ...(isGpu(device) && trainer.deterministic === false ? ['sums in any order'] : []),
  ];
  return `${device}, ${parts.join(', ')}`;
}
