import { lookup } from 'node:dns/promises';
import { createServer, isIPv6, type Server } from 'node:net';
import type { ReservedAddress } from '@nautil/activities/worker';
import { defineError, parseMemberAddress } from '@nautil/contracts';
import { environmentVariable } from '@nautil/store';
import { freePort, sourceTowards } from '@nautil/store/process';

/** NAUTIL_HOST or NAUTIL_MEMBER_PORTS is invalid, or this machine's address unknown. */
class MemberAddressError extends defineError('MemberAddressError', 'usage') {}

/** Every port of NAUTIL_MEMBER_PORTS is in use. Another training may end. */
class NoFreePort extends defineError('NoFreePort', 'environment', { retryable: true }) {}

/**
 * Returns a function that reserves the address, `host:port`, at which the trainer of a member of a group will listen: the host in
 * NAUTIL_HOST, by default the address that this machine has on the way to Temporal (127.0.0.1 for a server on this machine), and a
 * free port, of the range in NAUTIL_MEMBER_PORTS (`20000-20099`) if it is set. No other member on this machine gets the port until
 * it is released.
 *
 * @throws MemberAddressError. The function throws NoFreePort.
 */
export function memberAddresses(temporalAddress: string): () => Promise<ReservedAddress> {
  const given = givenHost();
  const ports = givenPorts();
  return async () => {
    const host = given ?? (await addressTowards(temporalAddress));
    const { port, server } = await listenWithin(ports);
    return {
      address: withPort(host, port),
      release: () => new Promise((resolve) => server.close(() => resolve())),
    };
  };
}

const withPort = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`;

function givenHost(): string | undefined {
  const host = environmentVariable('NAUTIL_HOST');
  if (host === undefined || parseMemberAddress(withPort(host, 1)) !== undefined) return host;
  throw new MemberAddressError(`NAUTIL_HOST=${host} is not the name or the address of a machine`, {
    hint: 'give the name or the IP address at which other workers reach this machine, without a port; or unset it',
  });
}

interface PortRange {
  first: number;
  last: number;
}

function givenPorts(): PortRange | undefined {
  const text = environmentVariable('NAUTIL_MEMBER_PORTS');
  if (text === undefined) return undefined;
  const [, from = '', to = from] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (first >= 1024 && last >= first && last <= 65_535) return { first, last };
  throw new MemberAddressError(`NAUTIL_MEMBER_PORTS=${text} is not a range of ports from 1024 to 65535`, {
    hint: 'give the first and the last port, such as 20000-20099, or unset it',
  });
}

async function listenWithin(range: PortRange | undefined): Promise<{ port: number; server: Server }> {
  if (range === undefined) {
    const port = await freePort();
    return listenWithin({ first: port, last: port });
  }
  for (let port = range.first; port <= range.last; port++) {
    const server = await listenOn(port);
    if (server !== undefined) return { port, server };
  }
  throw new NoFreePort(`no port of NAUTIL_MEMBER_PORTS=${range.first}-${range.last} is free`, {
    hint: 'each training on this machine that takes part in a group needs one: make the range larger',
  });
}

/** Listens on a port of the loopback interface; undefined when it is in use. */
function listenOn(port: number): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** The address of the network interface through which this machine reaches a server. */
async function addressTowards(server: string): Promise<string> {
  const [, host = ''] = /^\[?(.*?)\]?:\d+$/.exec(server) ?? [];
  const { address } = await lookup(host);
  const source = await sourceTowards(address);
  if (source !== undefined) return source;
  throw new MemberAddressError(`this machine has no route to Temporal at ${server}, so its own address is unknown`, {
    hint: 'set NAUTIL_HOST to the name or the address at which other workers reach this machine',
  });
}
