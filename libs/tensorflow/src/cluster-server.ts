import type { ClusterMember } from './cluster-member.js';
import { ServerNotStarted } from './errors.js';
import { filterListener, isListenedOn } from './filter-listener.js';
import { nativeApi, withStatus } from './library.js';
import { admittedSources } from './member-sources.js';
import { encodeServer, type SessionConfig } from './session-config.js';

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
 * machine, and runs any operation of TensorFlow for whoever connects; the kernel therefore drops packets that come from other addresses
 * than the members' and this machine's own. A user of this machine could bind to a member's address here anyway, so the latter admit nobody new.
 *
 * @param config - of the devices and threads, which the server determines for its sessions
 * @throws ServerNotStarted when the port is in use; TensorFlowError when a member's name has no IP address
 */
export async function startClusterServer(
  { members, index }: ClusterMember,
  config: SessionConfig,
): Promise<ClusterSession> {
  const native = nativeApi();
  const sources = await admittedSources(members);
  const port = Number(members[index]!.split(':').at(-1));
  const collectiveLeader = task(0);
  const bytes = encodeServer({ members, index }, { ...config, collectiveLeader });
  const server = boundTo(port, { members, index }, () =>
    withStatus(native, (status) => native.TF_NewServer(bytes, bytes.length, status)),
  );
  await filterListener(port, sources);
  withStatus(native, (status) => native.TF_ServerStart(server, status));
  return {
    target: native.TF_ServerTarget(server),
    collectiveLeader,
    deviceName: (device) => task(index) + device,
  };
}

/** The server that `create` binds to a port. TensorFlow's message names neither the port nor the reason. */
function boundTo<T>(port: number, member: ClusterMember, create: () => T): T {
  try {
    return create();
  } catch (cause) {
    throw new ServerNotStarted(port, member, { isInUse: isListenedOn(port), cause });
  }
}
