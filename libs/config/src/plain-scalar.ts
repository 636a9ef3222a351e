/** The value of a scalar, and whether it is a float. */
export interface PlainScalar {
  value: string | number | boolean | null;
  isFloat: boolean;

  /** See `ScalarNode`. */
  written?: string;
}

const text = (value: string): PlainScalar => ({ value, isFloat: false });

// PyYAML's patterns for YAML 1.1, with OmegaConf's changes: `1e-5` is a float, and dates are text.
const nullText = /^(?:~|null|Null|NULL|)$/;
const boolText = /^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/;
const intText =
  /^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$/;
const floatText =
  /^(?:[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+(?:_[0-9]+)*[eE][-+]?[0-9]+|\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?|[-+]?[0-9]+(?:_[0-9]+)*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/** The value of an unquoted YAML scalar, by the rules of NeMo's loader: PyYAML with OmegaConf's resolvers. */
export function resolvePlainScalar(source: string): PlainScalar {
  if (nullText.test(source)) return { value: null, isFloat: false };
  if (boolText.test(source)) return { value: /^(?:yes|true|on)$/i.test(source), isFloat: false };
  if (intText.test(source)) return numberScalar(source, parseInteger(source), false);
  if (floatText.test(source)) return numberScalar(source, parseFloatText(source), true);
  return text(source);
}

/** A number with its text, if the text is needed to print it. */
export function numberScalar(source: string, value: number, isFloat: boolean): PlainScalar {
  const isHeld = isFloat ? Number.isFinite(value) || /inf|nan/i.test(source) : Number.isSafeInteger(value);
  return { value, isFloat, ...(isHeld ? {} : { written: source }) };
}

function parseInteger(source: string): number {
  const digits = source.replaceAll('_', '');
  const sign = digits.startsWith('-') ? -1 : 1;
  const unsigned = digits.replace(/^[-+]/, '');
  if (unsigned.includes(':')) return sign * sexagesimal(unsigned);
  if (unsigned.startsWith('0b')) return sign * Number.parseInt(unsigned.slice(2), 2);
  if (unsigned.startsWith('0x')) return sign * Number.parseInt(unsigned.slice(2), 16);
  if (unsigned.length > 1 && unsigned.startsWith('0')) return sign * Number.parseInt(unsigned, 8);
  return sign * Number(unsigned);
}

function parseFloatText(source: string): number {
  const digits = source.replaceAll('_', '').toLowerCase();
  const sign = digits.startsWith('-') ? -1 : 1;
  const unsigned = digits.replace(/^[-+]/, '');
  if (unsigned === '.inf') return sign * Infinity;
  if (unsigned === '.nan') return NaN;
  return sign * (unsigned.includes(':') ? sexagesimal(unsigned) : Number(unsigned));
}

// In YAML 1.1, 1:30 is 90.
function sexagesimal(unsigned: string): number {
  return unsigned.split(':').reduce((total, part) => total * 60 + Number(part), 0);
}
