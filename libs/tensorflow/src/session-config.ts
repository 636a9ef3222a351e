import protobuf from 'protobufjs';

export interface SessionConfig {
  /** Threads inside one op (a matmul); 0: as many as cores. The first session of a process decides for all. */
  intraOpThreads?: number;
  /** Ops that run at the same time; 0: as many as cores. The first session of a process decides for all. */
  interOpThreads?: number;
  /** How many devices of a type there are, as in `{ CPU: 2, GPU: 0 }`; default: one CPU and every GPU. */
  deviceCount?: Readonly<Record<string, number>>;
  /** The task that leads collectives, as in `/job:worker/replica:0/task:0`, where several processes take part. */
  collectiveGroupLeader?: string;
}

// tensorflow/core/protobuf/config.proto, as far as it is needed.
const configProto = protobuf
  .parse(
    `syntax = "proto3";
     message GPUOptions { bool allow_growth = 4; }
     message Experimental { string collective_group_leader = 1; }
     message ConfigProto {
       map<string, int32> device_count = 1;
       int32 intra_op_parallelism_threads = 2;
       int32 inter_op_parallelism_threads = 5;
       GPUOptions gpu_options = 6;
       bool allow_soft_placement = 7;
       Experimental experimental = 16;
     }`,
    { keepCase: true },
  )
  .root.lookupType('ConfigProto');

/** A ConfigProto's bytes. A GPU's memory is taken as it is needed, and ops without a kernel for it run on the CPU. */
export function encodeSessionConfig(config: SessionConfig): Uint8Array {
  return configProto
    .encode({
      device_count: config.deviceCount ?? {},
      intra_op_parallelism_threads: config.intraOpThreads ?? 0,
      inter_op_parallelism_threads: config.interOpThreads ?? 0,
      gpu_options: { allow_growth: true },
      allow_soft_placement: true,
      experimental: { collective_group_leader: config.collectiveGroupLeader ?? '' },
    })
    .finish();
}
