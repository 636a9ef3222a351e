/** Where the trainer of a member of a group listens. */
export interface MemberAddress {
  /** A DNS name, or an IPv4 or IPv6 address without brackets. */
  host: string;

  /** From 1 to 65535. */
  port: number;
}

/**
 * Parses `name:port`, `1.2.3.4:port` or `[ipv6]:port`. The addresses of a group come from signals and configurations, which anyone may
 * have written.
 *
 * @returns undefined for anything else. So are `0.0.0.0` and `[::]`, which stand for all addresses of a machine, IPv6 zones (`%eth0`),
 *   which mean something on one machine only, and short forms of IPv4 addresses (`127.1`).
 */
export function parseMemberAddress(text: string): MemberAddress | undefined {
  const [, bracketed, plain = '', digits = ''] = /^(?:\[([^[\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const isHost = bracketed === undefined ? isIPv4(plain) || isDnsName(plain) : isIPv6(bracketed);
  const port = Number(digits);
  return isHost && port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

// NOTE: not isIPv4 and isIPv6 of node:net, because the sandbox of workflows has no modules of Node.

const isDottedDecimal = (text: string): boolean =>
  /^\d{1,3}(\.\d{1,3}){3}$/.test(text) &&
  text.split('.').every((part) => Number(part) <= 255 && String(Number(part)) === part);

const isIPv4 = (text: string): boolean => isDottedDecimal(text) && text !== '0.0.0.0';

function isIPv6(text: string): boolean {
  // The last 32 bits may be written as an IPv4 address.
  const [, head = text, dotted] = /^(.*:)(\d+\.[\d.]+)$/.exec(text) ?? [];
  if (dotted !== undefined && !isDottedDecimal(dotted)) return false;
  const halves = (dotted === undefined ? text : `${head}${isIPv4(dotted) ? 1 : 0}:0`).split('::');
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const isComplete = halves.length === 1 ? groups.length === 8 : halves.length === 2 && groups.length < 8;
  return (
    isComplete && groups.every((group) => /^[\da-f]{1,4}$/i.test(group)) && groups.some((group) => !/^0+$/.test(group))
  );
}

/** RFC 1123, with the underscore that some networks use. A name that ends in a number would be read as an IPv4 address. */
function isDnsName(text: string): boolean {
  const labels = text.replace(/\.$/, '').split('.');
  return (
    text.length <= 253 &&
    labels.every((label) => /^\w(?:[\w-]{0,61}\w)?$/.test(label)) &&
    !labels.slice(-1).some((label) => /^(?:\d+|0x[\da-f]*)$/i.test(label))
  );
}
