import { lookup } from 'node:dns/promises';
import { parseMemberAddress } from '@nautil/contracts';
import { sourceTowards } from '@nautil/store/process';
import type { ClusterMember } from './cluster-member.js';
import { TensorFlowError } from './errors.js';

const loopback = ['127.0.0.1', '::1'];

/**
 * The addresses from which a member accepts connections: those of all members, and those from which this machine connects to itself. A
 * name may stand for 127.0.1.1 on its own machine (Debian), to which the kernel connects from 127.0.0.1.
 *
 * @throws TensorFlowError when a member's name has no IP address
 */
export async function admittedSources(members: readonly string[]): Promise<string[]> {
  const addresses = (await Promise.all(members.map(ipAddressesOf))).flat();
  const own = await Promise.all(addresses.map(sourceTowards));
  return [...new Set([...addresses, ...own.filter((source) => source !== undefined), ...loopback])];
}

/** A member that drops this machine's packets. */
export interface RefusedSource {
  /** `host:port` of the member. */
  address: string;

  /** The address of this machine from which it connects to that member. */
  source: string;
}

/**
 * The members that accept no connection from this machine, as far as it can tell: it connects to them from an address that no
 * member has. It cannot tell if its own name stands for a loopback address here, or if a router changes the source.
 *
 * @param addresses - `host:port` of the members to consider
 * @throws TensorFlowError when a member's name has no IP address
 */
export async function refusedSources(
  { members, index }: ClusterMember,
  addresses: readonly string[],
): Promise<RefusedSource[]> {
  const known = await Promise.all(members.map(ipAddressesOf));
  if (known[index]?.every(isLoopback) !== false) return [];
  const refused = addresses.map(async (address): Promise<RefusedSource[]> => {
    const [target] = await ipAddressesOf(address);
    const source = target === undefined ? undefined : await sourceTowards(target);
    return source === undefined || isLoopback(source) || known.flat().includes(source) ? [] : [{ address, source }];
  });
  return (await Promise.all(refused)).flat();
}

const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

/** The IP addresses of the host of `host:port`. */
async function ipAddressesOf(member: string): Promise<string[]> {
  const { host } = parseMemberAddress(member) ?? {};
  if (host === undefined)
    throw new TensorFlowError(`${member}, the address of a member of the group, is not host:port`);
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new TensorFlowError(`${host}, which a member of the group should be on, has no IP address`, { cause });
  }
}
