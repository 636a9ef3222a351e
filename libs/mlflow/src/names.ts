import { createHash } from 'node:crypto';
import { maskSecrets } from '@nautil/contracts';

/** The tag with the step of the training after which it had the packaged weights. */
export const packagedStepTag = 'nautil.packaged_step';

const longestKey = 250;
const longestParam = 6000;
const longestTag = 8000;

/**
 * Turns a text into a key that MLflow accepts: letters and digits of any script, `_ - . : /` and the space. Other characters
 * become `_`, and so do parts between slashes that have a meaning in paths (empty, `.`, `..`).
 */
export function mlflowKey(text: string): string {
  const parts = text.replace(/[^\p{L}\p{N}_\-.: /]/gu, '_').split('/');
  const key = parts.map((part) => (part === '' || part === '.' || part === '..' ? '_' : part)).join('/');
  return shorten(key, longestKey);
}

/**
 * Whether a setting is the place of a file or folder: where a run reads and writes says nothing beside the settings of other runs. The
 * run's datasets and `config/config.yaml` have the places.
 */
export const isPlace = (key: string): boolean => /(?:_path|_dir|_file|_checkpoint|\.source)$/.test(key);

/** A param's value as text: strings unchanged, everything else as JSON. */
export function paramValue(value: unknown): string {
  if (typeof value === 'string') return shorten(value, longestParam);
  return shorten(value === undefined ? 'undefined' : JSON.stringify(value), longestParam);
}

/** Shortens the value of a tag to MLflow's limit. */
export const tagValue = (value: string): string => shorten(value, longestTag);

/**
 * Masks passwords and signatures in addresses, then cuts a text that is too long and appends its length and a digest of the whole.
 * Different masked texts stay different, and the same one is always shortened in the same way, which write-once params require.
 */
function shorten(given: string, limit: number): string {
  const text = maskSecrets(given).replace(loneSurrogate, '\uFFFD');
  if (text.length <= limit) return text;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const note = limit > 300 ? `… (${text.length} characters, sha256 ${digest})` : `_${digest}`;
  return text.slice(0, limit - note.length).replace(loneSurrogate, '') + note;
}

/** Half of a surrogate pair, which the server's database cannot store. */
const loneSurrogate = /\p{Cs}/gu;
