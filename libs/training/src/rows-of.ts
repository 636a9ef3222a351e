import type { Batch } from '@nautil/tokenization';

/** Rows [from, to) of a batch as a batch. */
export function rowsOf(batch: Batch, from: number, to: number): Batch {
  const cells = [from * batch.length, to * batch.length] as const;
  return {
    ...batch,
    rows: batch.rows.subarray(from, to),
    size: to - from,
    ids: batch.ids.subarray(...cells),
    mask: batch.mask.subarray(...cells),
    ...(batch.types ? { types: batch.types.subarray(...cells) } : {}),
    labels: batch.labels.subarray(from, to),
  };
}
