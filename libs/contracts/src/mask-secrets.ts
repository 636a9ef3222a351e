/** What stands in the place of a secret. */
const mask = '***';

/**
 * Where the user or the host of an address begins: after `scheme://`, after `http:` with any number of slashes of either kind, which
 * browsers and Node accept, and after `//` at the start of a word. A drive of Windows (`C:\`) is no scheme.
 */
const addressStart =
  /(?::(?:(?<=(?:https?|ftp|wss?):)[/\\]*|(?<=[a-z0-9+.-]:)\/\/|(?<=[a-z0-9+.-]{2}:)\\\\)|\/\/(?<![^\s"'`=(<,[{|]\/\/))(?=\S)/gi;

/** The rest of a word. A quotation mark or a bracket ends it only where the sentence goes on, as passwords may contain one. */
const restOfWord = /(?:[^\s"'`<>)\]}]|["'`<>)\]}](?![\s"'`<>,;:.)\]}…]|$))*/y;

/** A host, or a host and its port, perhaps with the punctuation of a sentence behind it. Anything else with a colon has a password. */
const isHost = /^(?:\[[^\]]*\]|[^:]*)(?::\d{0,5}(?:[,;:.)\]}…].*)?)?$/s;

/** The end of `user:password@host:7233`, an address without a scheme, as Temporal's is. */
const hostAndPort = /@(?=(?:[\w.-]{1,255}|\[[\da-f:.]{2,45}\]):\d{1,5}(?!\w))/gi;

const userAndColon = /(?<![^\s"'`=(<,[{|])[^\s:/\\@"'`<>=(),[\]{}]{1,200}:(?![/\\]|\*{3}$)/;

/** What makes a word with parameters an address: other words may be commands or settings. */
const isAddress = /:[/\\]|\/\/|\bhttps?:/i;

const parameter = /([?&;#])([^\s=&;?#"'`<>]*)(?:=((?:[^\s&;#"'`<>)\]}]|["'`<>)\]}](?![\s"'`<>,;:.)\]}…]|$))*))?/g;

/** Parameters that say what to show or when an address expires. The value of any other parameter may grant access. */
const harmlessParameters = new Set(
  (
    'page size limit offset start end from to order sort view tab mode lang locale format type kind ref revision version branch rev ' +
    'name path file filename folder dir subset split config dataset index id run run_id run_uuid run_ids experiment_id ' +
    'experiment_name experiment_ids workflowtype download export alt raw max_results order_by searchfilter orderbykey orderbyasc ' +
    'query width height q sha1 sha256 md5 egg subdirectory ' +
    'x-amz-date x-amz-expires x-amz-algorithm x-amz-signedheaders googleaccessid expires sv se st sp sr spr'
  ).split(' '),
);

/** Parameters whose value is a secret also outside an address. */
const secretName =
  /(?:signature|token|secret|password|passwd|pass|credentials?|api[_-]?key|access[_-]?key(?:id)?|auth[_-]?key|session(?:id)?|hmac)(?:\[\])?$|^(?:sig|key|pwd|auth|code|jwt|sas|signed|policy|key-pair-id)(?:\[\])?$/i;

const authorization =
  /\b(authorization["']?\s*[:=]\s*["']?(?:(?:Bearer|Basic|Token|Digest|Negotiate|NTLM|OAuth|Signature|Hawk|DPoP|Key|ApiKey|AWS[\w-]*)\s+)?)(?:[\w-]+="[^"\n]*"|[^\s"',]+)(?:,\s*[\w-]+=(?:"[^"\n]*"|[^\s"',]*))*/gi;

/**
 * Replaces what grants access in the addresses of a text by `***`: the user and the password, and the values of parameters in
 * queries, fragments and paths, except for those that are known to be harmless. Texts pass through it where they are stored,
 * logged or printed; the addresses that requests are sent to do not.
 *
 * @example
 * maskSecrets('https://user:password@host/file?sig=abc'); // 'https://***@host/file?sig=***'
 */
export function maskSecrets(text: string): string {
  let masked = text;
  if (masked.includes('@')) masked = maskUsers(masked).replace(/\S+/g, maskUserWithoutScheme);
  if (/[?&;#]/.test(masked)) masked = masked.replace(/\S+/g, maskParameters);
  return masked.replace(authorization, `$1${mask}`);
}

/**
 * Masks all that is between the start of an address and the last `@` of its word. A path may contain `@`: what looks like a host, or
 * like a host and a port, in front of a slash is kept. A password with a space, which isn't a port, ends at the last `@` of the line.
 */
function maskUsers(text: string): string {
  let masked = '';
  let kept = 0;
  // Each is computed once for all the addresses before it, so that the time is in proportion to the length of the text.
  const word = { end: -1, at: -1 };
  const line = { end: -1, at: -1 };
  addressStart.lastIndex = 0;
  for (let match = addressStart.exec(text); match !== null; match = addressStart.exec(text)) {
    const start = match.index + match[0].length;
    if (start > word.end) {
      restOfWord.lastIndex = start;
      word.end = start + (restOfWord.exec(text)?.[0].length ?? 0);
      word.at = start + text.slice(start, word.end).lastIndexOf('@');
    }
    if (start > line.end) {
      const end = text.indexOf('\n', start);
      line.end = end === -1 ? text.length : end;
      line.at = start + text.slice(start, line.end).lastIndexOf('@');
    }
    const [authority = ''] = text.slice(start, word.end).split(/[/?#\\]/, 1);
    const hasPassword = !isHost.test(authority);
    const hasScheme = match[0].startsWith(':');
    let at = -1;
    if (word.at >= start && (hasPassword || authority.includes('@'))) at = word.at;
    else if (hasPassword && hasScheme) at = line.at;
    if (at >= start) {
      masked += `${text.slice(kept, start)}${mask}@`;
      kept = at + 1;
    }
    // The authority may end with the scheme of another address.
    const end = start + authority.length;
    addressStart.lastIndex = Math.max(start, authority.endsWith(':') ? end - 1 : end, kept);
  }
  return masked + text.slice(kept);
}

function maskUserWithoutScheme(word: string): string {
  const at = word.includes('@') ? [...word.matchAll(hostAndPort)].at(-1)?.index : undefined;
  if (at === undefined) return word;
  const start = word.slice(0, at).search(userAndColon);
  return start === -1 ? word : `${word.slice(0, start)}${mask}${word.slice(at)}`;
}

function maskParameters(word: string): string {
  if (!/[?&;#]/.test(word)) return word;
  const inAddress = isAddress.test(word);
  return word.replace(parameter, (whole, lead: string, name: string, value: string | undefined) => {
    const decoded = name.replace(/%5b/gi, '[').replace(/%5d/gi, ']');
    if (value === undefined) {
      const [key, secret] = decoded.split(/%3d/i);
      return inAddress && key !== undefined && secret !== undefined ? `${lead}${key}=${mask}` : whole;
    }
    if (value === '') return whole;
    const isHarmless = harmlessParameters.has(decoded.toLowerCase()) && !/=|%3d/i.test(value);
    const isSecret = inAddress ? !isHarmless : lead !== '#' && secretName.test(decoded);
    return isSecret ? `${lead}${name}=${mask}` : whole;
  });
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
