import { lookup } from 'node:dns/promises';
import { TensorFlowError } from './errors.js';
import { filterListener } from './filter-listener.js';
import { nativeApi, withStatus } from './library.js';
import { encodeServer, type SessionConfig } from './session-config.js';

/** One process of a cluster. */
export interface ClusterMember {
  /** `host:port` of each process's server. */
  members: readonly string[];

  /** This process's index in `members`. */
  index: number;
}

/** What a session needs to take part in its cluster. */
export interface ClusterSession {
  /** Address of this process's own server, for the session. */
  target: string;

  /** The process that assigns ranks to the devices of a group. */
  collectiveLeader: string;

  /** The full name of a device of this process, such as `/device:CPU:0`. */
  deviceName: (device: string) => string;
}

const task = (index: number): string => `/job:worker/replica:0/task:${index}`;

/**
 * Starts TensorFlow's gRPC server, which serves until the process ends: TensorFlow cannot stop one. It listens on all addresses of the
 * machine, and runs any operation of TensorFlow for whoever connects; the kernel therefore drops packets that do not come from the members' addresses.
 *
 * @param config - of the devices and threads, which the server determines for its sessions
 * @throws TensorFlowError when the port is in use, or an address of a member has no IP address
 */
export async function startClusterServer(
  { members, index }: ClusterMember,
  config: SessionConfig,
): Promise<ClusterSession> {
  const native = nativeApi();
  const sources = (await Promise.all(members.map((member) => addressesOf(hostIn(member))))).flat();
  const collectiveLeader = task(0);
  const bytes = encodeServer({ members, index }, { ...config, collectiveLeader });
  const server = withStatus(native, (status) => native.TF_NewServer(bytes, bytes.length, status));
  await filterListener(Number(members[index]!.split(':').at(-1)), [...new Set(sources)]);
  withStatus(native, (status) => native.TF_ServerStart(server, status));
  return {
    target: native.TF_ServerTarget(server),
    collectiveLeader,
    deviceName: (device) => task(index) + device,
  };
}

/** The host of `host:port`, without the brackets of an IPv6 address. */
const hostIn = (address: string): string => address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new TensorFlowError(`${host}, which a member of the group should be on, has no IP address`, { cause });
  }
}
