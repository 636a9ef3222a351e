import { isIPv6 } from 'node:net';
import { TemporalSettingError } from './errors.js';

/** The port of a Temporal server, unless its address has one: Temporal's own programs need none, either. */
const usualPort = 7233;

/**
 * Checks the address of a Temporal server and completes it to `host:port`. IPv6 addresses are in brackets.
 *
 * @param source names the setting in errors
 * @throws TemporalSettingError
 */
export function parseTemporalAddress(text: string, source: string): string {
  const problem = addressProblem(text);
  if (problem !== undefined) {
    throw new TemporalSettingError(`${source}: ${JSON.stringify(text)} ${problem}`, {
      hint: 'give the address of a Temporal server in the form host:port, such as temporal.example.com:7233 or [::1]:7233',
    });
  }
  return /:\d+$/.test(withoutBrackets(text)) ? text : `${text}:${usualPort}`;
}

function addressProblem(text: string): string | undefined {
  if (/^\w+:\/\//.test(text)) return 'is a URL, not host:port; whether TLS is used does not depend on the address';
  if (isIPv6(text)) return 'is an IPv6 address without brackets';
  const [, bracketed, name, port] = /^(?:\[(.*)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? [];
  const hasHost = bracketed === undefined ? /^[\w.-]+$/.test(name ?? '') : isIPv6(bracketed);
  if (!hasHost) return 'is not host:port';
  if (port !== undefined && !isPort(port)) return 'is not host:port: a port is a whole number from 1 to 65535';
  return undefined;
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;

const withoutBrackets = (address: string): string => address.replace(/^\[.*\]/, '');
