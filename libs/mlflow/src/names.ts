import { createHash } from 'node:crypto';

const longestKey = 250;
const longestParam = 6000;
const longestTag = 8000;

/**
 * A key that MLflow accepts: letters and digits of any script, `_ - . : /` and the space; other characters become `_`.
 * Parts between slashes that a path would swallow (empty, `.`, `..`) become `_`, too.
 */
export function mlflowKey(text: string): string {
  const parts = text.replace(/[^\p{L}\p{N}_\-.: /]/gu, '_').split('/');
  const key = parts.map((part) => (part === '' || part === '.' || part === '..' ? '_' : part)).join('/');
  return shorten(key, longestKey);
}

/** A param's value as MLflow keeps it: text as it is, null as `null`, anything with an inside as JSON. */
export function paramValue(value: unknown): string {
  return shorten(typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)), longestParam);
}

/** A tag's value within MLflow's limit. */
export const tagValue = (value: string): string => shorten(value, longestTag);

/**
 * What is too long keeps its beginning, its length and a digest of the whole: values that differ stay different, and the
 * same value is shortened the same way each time, as write-once params demand.
 */
function shorten(given: string, limit: number): string {
  const text = given.replace(loneSurrogate, '\uFFFD');
  if (text.length <= limit) return text;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const note = limit > 300 ? `… (${text.length} characters, sha256 ${digest})` : `_${digest}`;
  return text.slice(0, limit - note.length).replace(loneSurrogate, '') + note;
}

/** Half a character: the server's database cannot hold one. */
const loneSurrogate = /\p{Cs}/gu;
