import { pythonFloat } from '@nautil/python-format';
import { isSweep, type Override, type OverrideValue, parseOverrideValue } from './parse-override.js';

/** Prints an override, such that parseOverride returns the same one. */
export function printOverride(override: Pick<Override, 'type' | 'key' | 'package' | 'value'>): string {
  const sign = { change: '', add: '+', 'force-add': '++', delete: '~' }[override.type];
  const target = override.package === undefined ? '' : `@${override.package}`;
  const { value } = override;
  if (value === undefined) return `${sign}${override.key}${target}`;
  return `${sign}${override.key}${target}=${isSweep(value) ? printSweep(value) : printOverrideValue(value)}`;
}

/** Prints a value, with quotes only where the text would otherwise be parsed as something else. */
function printOverrideValue(value: OverrideValue): string {
  if (value.kind === 'list') return `[${value.items.map(printOverrideValue).join(',')}]`;
  if (value.kind === 'map') {
    return `{${value.entries.map(([key, item]) => `${printKey(key)}:${printOverrideValue(item)}`).join(',')}}`;
  }
  if (value.value === null) return 'null';
  if (value.written !== undefined) return value.written;
  if (typeof value.value === 'number') return value.isFloat ? pythonFloat(value.value) : String(value.value);
  if (typeof value.value === 'boolean') return String(value.value);
  return !value.quoted && isBare(value.value) ? value.value : quote(value.value);
}

function printSweep(sweep: Extract<Override['value'], { kind: 'choice' | 'range' | 'interval' }>): string {
  if (sweep.kind === 'choice') {
    const options = sweep.options.map(printOverrideValue).join(',');
    return sweep.short && sweep.options.length > 1 ? options : `choice(${options})`;
  }
  const number = sweep.kind === 'range' && !sweep.isFloat ? String : pythonFloat;
  if (sweep.kind === 'range') return `range(${number(sweep.start)},${number(sweep.stop)},${number(sweep.step)})`;
  const interval = `interval(${number(sweep.start)},${number(sweep.end)})`;
  return sweep.log ? `tag(log,${interval})` : interval;
}

// The keys of a map can't be quoted, so special characters are escaped.
function printKey(key: string): string {
  return key.replace(/[\\()[\]{}:=, \t]/g, '\\$&');
}

function isBare(text: string): boolean {
  if (!/^[\w/\-+.$%*@?|]+$/.test(text)) return false;
  const parsed = parseOverrideValue(text);
  return parsed.kind === 'scalar' && parsed.value === text;
}

// Backslashes are special only before a quote: they are doubled, and the quote gets one more.
function quote(text: string): string {
  return `'${text.replace(/(\\*)('|$)/g, (_, slashes: string, mark: string) => `${slashes}${slashes}${mark && `\\${mark}`}`)}'`;
}
