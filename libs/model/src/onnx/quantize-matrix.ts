/** A matrix in bytes: the number at [row, column] is about `scales[column] * (bytes[row, column] - zeroPoint)`. */
interface QuantizedMatrix {
  /** [rows, columns], row-major. */
  bytes: Int8Array | Uint8Array;

  /** Of each column. */
  scales: Float32Array;
  zeroPoint: number;
}

/** The largest byte in absolute value. -128 is not used, so that a column's numbers are symmetric. */
const largestByte = 127;

/**
 * The transpose of weights in torch's layout, [out, in], rounded to bytes. Each output has its own scale, so that one large weight does
 * not make the others of the matrix coarse.
 *
 * @param o.signed - false: the bytes are shifted by 128; they stand for the same numbers
 */
export function quantizeMatrix(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  { signed }: { signed: boolean },
): QuantizedMatrix {
  const [columns, rows] = [shape[0]!, shape[1]!];
  const zeroPoint = signed ? 0 : 128;
  const bytes = new (signed ? Int8Array : Uint8Array)(rows * columns);
  const scales = new Float32Array(columns);
  for (let column = 0; column < columns; column++) {
    const weights = data.subarray(column * rows, (column + 1) * rows);
    const largest = weights.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // A column of zeros has no scale of its own.
    const scale = largest === 0 ? 1 : largest / largestByte;
    for (const [row, weight] of weights.entries()) {
      const byte = Math.min(Math.max(Math.round(weight / scale), -largestByte), largestByte);
      bytes[row * columns + column] = byte + zeroPoint;
    }
    scales[column] = scale;
  }
  return { bytes, scales, zeroPoint };
}
