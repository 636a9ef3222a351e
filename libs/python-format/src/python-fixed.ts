/** Python's `format(value, '.Nf')`: rounds the exact binary value, ties to the even digit. */
export function pythonFixed(value: number, digits: number): string {
  // NOTE: toFixed rounds ties up, Python rounds them to even. A binary number is a tie only if 2^(N+1) times it is whole.
  const scaled = value * 10 ** digits;
  const isTie = scaled % 1 === 0.5 && Number.isInteger(value * 2 ** (digits + 1));
  const isEven = Math.floor(scaled) % 2 === 0;
  return (isTie && isEven ? Math.floor(scaled) / 10 ** digits : value).toFixed(digits);
}
