import { type ConfigNode, scalar, select } from './config-node.js';
import type { Processor } from './processor.js';

/**
 * Replaces `trainer.precision=auto` in place by the number format that is fastest on the processor, and returns a note about the
 * choice. What is stored of a run, such as its cache keys, therefore has the format itself, and a resume elsewhere keeps it.
 */
export function resolveAutoPrecision(root: ConfigNode, { instructions, hasBfloat16 }: Processor): string[] {
  const trainer = select(root, ['trainer']);
  const written = select(root, ['trainer', 'precision']);
  if (trainer?.kind !== 'map' || written?.kind !== 'scalar' || written.value !== 'auto') return [];
  const chosen = hasBfloat16 ? 'bf16-mixed' : 32;
  trainer.entries.set('precision', scalar(chosen, written.origin));
  return [
    `trainer.precision=auto is ${chosen}: the processor (${instructions}) has ${hasBfloat16 ? '' : 'no '}instructions for bfloat16`,
  ];
}
