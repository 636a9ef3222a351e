/** A finite number as Python's `repr` prints it: an exponent from 1e16 and below 1e-4, of two digits at least (1e-05). */
export function pythonFloat(value: number): string {
  const [mantissa = '', exponent = ''] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 16) return String(value);
  return `${mantissa}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
