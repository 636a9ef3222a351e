/** What stands in the place of a secret. */
const mask = '***';

/** The user and the password of an address, `https://user:password@host`. A user without a password may be a token. */
const userInfo = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#@"'<>]*(?:@[^\s/?#@"'<>]+)*@/gi;

/** Parameters of an address that grant access to anyone who has them, as in the signed addresses of S3, Google and Azure. */
const secretParameter =
  /([?&;](?:[\w-]*(?:signature|token|secret|password|passwd|credentials?|api[_-]?key|access[_-]?key(?:id)?)|sig|key|pwd|auth|code)=)[^\s&;#"'<>)]+/gi;

const authorization = /\b(authorization["']?\s*[:=]\s*["']?(?:(?:Bearer|Basic)\s+)?)[^\s"',]+/gi;

/**
 * Replaces passwords, signatures and tokens in the addresses of a text by `***`. Texts pass through it where they are stored,
 * logged or printed; the addresses that requests are sent to do not.
 *
 * @example
 * maskSecrets('https://user:password@host/file?sig=abc'); // 'https://***@host/file?sig=***'
 */
export function maskSecrets(text: string): string {
  return text.replace(userInfo, `$1${mask}@`).replace(secretParameter, `$1${mask}`).replace(authorization, `$1${mask}`);
}

/** A copy of a JSON value whose texts are masked. */
export function withoutSecrets<T>(value: T): T {
  return mapTexts(value, maskSecrets);
}

/** A copy of a JSON value with each of its texts replaced; keys stay. */
export function mapTexts<T>(value: T, change: (text: string) => string): T {
  const map = (item: unknown): unknown => {
    if (typeof item === 'string') return change(item);
    if (Array.isArray(item)) return item.map(map);
    if (typeof item !== 'object' || item === null) return item;
    return Object.fromEntries(Object.entries(item).map(([key, inner]) => [key, map(inner)]));
  };
  // The shape is that of `value`, because only texts are replaced, by texts.
  return map(value) as T;
}
