import protobuf from 'protobufjs';

export interface SessionConfig {
  /** Threads inside one op (a matmul); 0: as many as cores. The first session of a process sets it for all. */
  intraOpThreads?: number;

  /** Number of CPU devices, which share the cores: `/device:CPU:0`, `/device:CPU:1`, … Default 1. */
  cpuDevices?: number | undefined;

  /** Address of the server that runs the graph, such as `grpc://localhost:2222`; default: this process, without a server. */
  target?: string | undefined;

  /** The process that assigns ranks to the devices of a group, such as `/job:worker/replica:0/task:0`; for a cluster. */
  collectiveLeader?: string | undefined;

  /** Whether GPUs reduce through NCCL. Default false. */
  nccl?: boolean | undefined;
}

// tensorflow/core/protobuf/{config,cluster,tensorflow_server}.proto, reduced to the fields that are set here.
const messages = protobuf.parse(
  `syntax = "proto3";
     message GPUOptions { bool allow_growth = 4; }
     message RewriterConfig { bool disable_meta_optimizer = 19; }
     message GraphOptions { RewriterConfig rewrite_options = 10; }
     message ConfigProto {
       map<string, int32> device_count = 1;
       int32 intra_op_parallelism_threads = 2;
       GPUOptions gpu_options = 6;
       bool allow_soft_placement = 7;
       GraphOptions graph_options = 10;
       Experimental experimental = 16;
     }
     message Experimental { string collective_group_leader = 1; bool collective_nccl = 7; }
     message JobDef { string name = 1; map<int32, string> tasks = 2; }
     message ClusterDef { repeated JobDef job = 1; }
     message ServerDef {
       ClusterDef cluster = 1;
       string job_name = 2;
       int32 task_index = 3;
       ConfigProto default_session_config = 4;
       string protocol = 5;
     }`,
  { keepCase: true },
).root;
const configProto = messages.lookupType('ConfigProto');
const serverDef = messages.lookupType('ServerDef');

/** A serialised ConfigProto. GPU memory is allocated as needed, and ops without a GPU kernel run on the CPU. */
export function encodeSessionConfig(config: SessionConfig): Uint8Array {
  return configProto.encode(configOf(config)).finish();
}

/** A serialised ServerDef of one process of a cluster, whose sessions have the devices and threads of `config`. */
export function encodeServer(
  { members, index }: { members: readonly string[]; index: number },
  config: SessionConfig,
): Uint8Array {
  return serverDef
    .encode({
      cluster: { job: [{ name: 'worker', tasks: Object.fromEntries(members.entries()) }] },
      job_name: 'worker',
      task_index: index,
      default_session_config: configOf(config),
      protocol: 'grpc',
    })
    .finish();
}

const configOf = ({ cpuDevices = 1, intraOpThreads = 0, collectiveLeader = '', nccl = false }: SessionConfig) => ({
  device_count: { CPU: cpuDevices },
  intra_op_parallelism_threads: intraOpThreads,
  gpu_options: { allow_growth: true },
  allow_soft_placement: true,
  // It rewrites the graph for every new shape of a batch, which takes longer than the step, and makes no step faster.
  graph_options: { rewrite_options: { disable_meta_optimizer: true } },
  experimental: { collective_group_leader: collectiveLeader, collective_nccl: nccl },
});
