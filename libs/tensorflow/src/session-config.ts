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
     message RewriterConfig { bool disable_meta_optimizer = 19; }
     message GraphOptions { RewriterConfig rewrite_options = 10; }
     message ConfigProto {
       int32 intra_op_parallelism_threads = 2;
       GPUOptions gpu_options = 6;
       bool allow_soft_placement = 7;
       GraphOptions graph_options = 10;
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
      // It rewrites the graph for every new shape of a batch, which takes longer than the step, and makes no step faster.
      graph_options: { rewrite_options: { disable_meta_optimizer: true } },
    })
    .finish();
}
