import type { ForwardBatch } from '../run-rows.js';

/** Positions 0, 1, … of the tokens of each row: [rows, length]. */
export const positionsFromZero = ({ ids, length }: ForwardBatch): Int32Array =>
  Int32Array.from({ length: ids.length }, (_, at) => at % length);

/** Positions as in `embedAfterPadding`: [rows, length]. */
export function positionsAfterPadding({ ids, length }: ForwardBatch, padTokenId: number): Int32Array {
  const positions = new Int32Array(ids.length);
  let real = 0;
  for (let at = 0; at < ids.length; at++) {
    if (at % length === 0) real = 0;
    positions[at] = ids[at] === padTokenId ? padTokenId : padTokenId + ++real;
  }
  return positions;
}
