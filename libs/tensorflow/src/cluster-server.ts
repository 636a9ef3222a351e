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
 * Starts TensorFlow's gRPC server, which serves until the process ends: TensorFlow cannot stop one. Whoever reaches its port can run any operation
 * of TensorFlow, so the network between the members must be trusted.
 *
 * @param config - of the devices and threads, which the server determines for its sessions
 * @throws TensorFlowError when the port is in use
 */
export function startClusterServer({ members, index }: ClusterMember, config: SessionConfig): ClusterSession {
  const native = nativeApi();
  const collectiveLeader = task(0);
  const bytes = encodeServer({ members, index }, { ...config, collectiveLeader });
  const server = withStatus(native, (status) => native.TF_NewServer(bytes, bytes.length, status));
  withStatus(native, (status) => native.TF_ServerStart(server, status));
  return {
    target: native.TF_ServerTarget(server),
    collectiveLeader,
    deviceName: (device) => task(index) + device,
  };
}
