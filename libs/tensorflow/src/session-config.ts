import protobuf from 'protobufjs';

export interface SessionConfig {
  /** Threads inside one op (a matmul); 0: as many as cores. The first session of a process sets it for all. */
  intraOpThreads?: number;
}

// tensorflow/core/protobuf/config.proto, reduced to the fields that are set here.
const configProto = protobuf
  .parse(
    `syntax = "proto3";
     message GPUOptions { bool allow_growth = 4; }
     message ConfigProto {
       int32 intra_op_parallelism_threads = 2;
       GPUOptions gpu_options = 6;
       bool allow_soft_placement = 7;
     }`,
    { keepCase: true },
  )
  .root.lookupType('ConfigProto');

/** A serialised ConfigProto. GPU memory is allocated as needed, and ops without a GPU kernel run on the CPU. */
export function encodeSessionConfig(config: SessionConfig): Uint8Array {
  return configProto
    .encode({
      intra_op_parallelism_threads: config.intraOpThreads ?? 0,
      gpu_options: { allow_growth: true },
      allow_soft_placement: true,
    })
    .finish();
}
