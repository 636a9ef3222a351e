import { pythonFloat } from '@nautil/python-format';
import { type Override, type OverrideValue, parseOverrideValue } from './parse-override.js';
import { isSweep } from './parse-override.js';

/** The text that parses to this override. Sweeps print as choice(), range() and interval(). */
export function printOverride(override: Pick<Override, 'type' | 'key' | 'package' | 'value'>): string {
  const sign = { change: '', add: '+', 'force-add': '++', delete: '~' }[override.type];
  const target = override.package === undefined ? '' : `@${override.package}`;
  const { value } = override;
  if (value === undefined) return `${sign}${override.key}${target}`;
  return `${sign}${override.key}${target}=${isSweep(value) ? printSweep(value) : printOverrideValue(value)}`;
}

/** The text of a value, as it stands after `=`: bare where that reads back the same, else quoted. */
export function printOverrideValue(value: OverrideValue): string {
  if (value.kind === 'list') return `[${value.items.map(printOverrideValue).join(',')}]`;
  if (value.kind === 'map') {
    return `{${value.entries.map(([key, item]) => `${printKey(key)}:${printOverrideValue(item)}`).join(',')}}`;
  }
  if (value.value === null) return 'null';
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

// A map's key can't be quoted, so that what is special in it is escaped.
function printKey(key: string): string {
  return key.replace(/[\\()[\]{}:=, \t]/g, '\\$&');
}

function isBare(text: string): boolean {
  if (!/^[\w/\-+.$%*@?|]+$/.test(text)) return false;
  const read = parseOverrideValue(text);
  return read.kind === 'scalar' && read.value === text;
}

// Only backslashes before a quote are special: those are doubled, and the quote gets one more.
function quote(text: string): string {
  return `'${text.replace(/(\\*)('|$)/g, (_, slashes: string, mark: string) => `${slashes}${slashes}${mark && `\\${mark}`}`)}'`;
}
