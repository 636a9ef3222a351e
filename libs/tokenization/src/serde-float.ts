/** The largest exponent of a table of powers of ten in float64, as serde_json has it. */
const largestPower = 308;

/** Digits whose number is below 2^64. */
const mostDigits = 19;

/**
 * The float64 that the Rust library reads for a number of a JSON file: its parser (serde_json without `float_roundtrip`) divides
 * the digits by a power of ten, and so may be off in the last place. Where two divisions of a text are equally
 * likely, such as "..." + "." and "." + "...", that unit decides.
 *
 * @param value - the nearest float64, whose shortest decimal form is the one in the file
 */
export function serdeFloat(value: number): number {
  const [decimal = '', exponentText = '0'] = Math.abs(value).toString().split('e');
  const [whole = '', fraction = ''] = decimal.split('.');
  const exponent = Number(exponentText) - fraction.length;
  const digits = `${whole}${fraction}`;
  if (digits.length > mostDigits || Math.abs(exponent) > largestPower) return value;
  const significand = Number(BigInt(digits));
  const parsed = exponent < 0 ? significand / Number(`1e${-exponent}`) : significand * Number(`1e${exponent}`);
  return Math.sign(value) * parsed;
}
