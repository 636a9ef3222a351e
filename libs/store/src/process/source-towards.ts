import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

/** The discard port. Nothing is sent to it. */
const anyPort = 9;

/**
 * The address of this machine from which the kernel connects to another one: to itself from 127.0.0.1 if it is in 127.0.0.0/8, else from
 * the address itself. Sends nothing.
 *
 * @param address - IPv4 or IPv6
 * @returns undefined without a route
 */
export function sourceTowards(address: string): Promise<string | undefined> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    const end = (source?: string): void => {
      socket.close();
      resolve(source);
    };
    socket.on('error', () => {
      end();
    });
    socket.on('connect', () => {
      end(socket.address().address);
    });
    socket.connect(anyPort, address);
  });
}
