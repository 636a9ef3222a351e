import type { Cluster } from './step-time.js';

/** A number that the model is given, and where it is from. */
export interface Input {
  title: string;
  value: number;
  unit: keyof typeof unitFactors;
  basis: 'measured' | 'assumed' | 'by design';

  /** The command that measured it, the public source, or the code. */
  source: string;
}

type InputName =
  | 'peak'
  | 'matmulShare'
  | 'memory'
  | 'within'
  | 'between'
  | 'linkShare'
  | 'latencyWithin'
  | 'latencyBetween'
  | 'bucket'
  | 'overhead'
  | 'dispatch';

export interface PlannedCluster {
  title: string;
  inputs: Record<InputName, Input>;
}

const unitFactors = {
  'TFLOP/s': 1e12,
  'TB/s': 1e12,
  'GB/s': 1e9,
  MB: 1e6,
  '%': 1e-2,
  ms: 1e-3,
  µs: 1e-6,
};

/** GPUs of a node in all planned clusters. */
const gpusPerNode = 8;

/** What TensorFlow's all-reduce between two processes reached on the machine of the report. */
export interface GrpcRate {
  bytesPerSecond: number;
  latencySeconds: number;
}

const assumed = (title: string, value: number, unit: Input['unit'], source: string): Input => ({
  ...{ title, value, unit, source },
  basis: 'assumed',
});

const measured = (title: string, value: number, unit: Input['unit'], source: string): Input => ({
  ...{ title, value, unit, source },
  basis: 'measured',
});

const onH200 = 'one H200 and 16 cores, bfloat16, docs/performance.md';

const bucket: Input = {
  title: 'bucket of gradients',
  value: 16.8,
  unit: 'MB',
  basis: 'by design',
  source: '16 MiB, in `libs/tensorflow/src/collectives.ts`',
};

const everywhere = {
  matmulShare: measured(
    'share of the peak that the matmuls of a step reach, beside its other operations',
    7.5,
    '%',
    `${onH200}: 128 rows of 128 tokens in 111 ms, without overhead and update`,
  ),
  linkShare: assumed('share of the rate of memory and links that is reached', 80, '%', 'a round figure'),
  bucket,
  overhead: assumed('time of a step without the GPU', 2, 'ms', 'a round figure'),
  dispatch: measured(
    'time in which the processor starts the operations of a layer; no step is shorter than its layers take',
    2.36,
    'ms',
    `${onH200}: 32 short phrases and 12 layers in 28.3 ms, of which the GPU waits two thirds`,
  ),
};

const nccl = '`src/graph/tuning.cc` of NCCL, ring, protocol Simple';

const sxmSheet = 'NVIDIA’s data sheet of the H100 SXM';
const sxm = {
  peak: assumed('H100 SXM, dense bf16', 989, 'TFLOP/s', sxmSheet),
  memory: assumed('memory of the H100 SXM', 3.35, 'TB/s', sxmSheet),
  within: assumed('NVLink 4, one direction', 450, 'GB/s', `${sxmSheet}: 900 GB/s in both directions`),
  latencyWithin: assumed('latency of NVLink', 3.4, 'µs', nccl),
};

const pcieSheet = 'NVIDIA’s data sheet of the H100 PCIe';
const pcie = {
  peak: assumed('H100 PCIe, dense bf16', 756, 'TFLOP/s', pcieSheet),
  memory: assumed('memory of the H100 PCIe', 2, 'TB/s', pcieSheet),
  within: assumed('PCIe 5.0 × 16, one direction', 64, 'GB/s', `${pcieSheet}: 128 GB/s in both directions`),
  latencyWithin: assumed('latency of PCIe', 5.7, 'µs', nccl),
};

/** A 100 Gb/s network card. */
const ethernetGigabytes = 12.5;

/**
 * The clusters of the prediction.
 *
 * @param grpc - absent: the cluster whose collectives use gRPC is left out
 */
export function plannedClusters(grpc: GrpcRate | undefined): PlannedCluster[] {
  const infiniBand: PlannedCluster = {
    title: 'NVLink, InfiniBand',
    inputs: {
      ...everywhere,
      ...sxm,
      between: assumed(
        'InfiniBand NDR, a 400 Gb/s card for each GPU of a node',
        gpusPerNode * 50,
        'GB/s',
        'NVIDIA’s data sheet of the DGX H100: eight ConnectX-7 cards; NCCL builds a ring for each',
      ),
      latencyBetween: assumed('latency of a network with RDMA', 9.6, 'µs', nccl),
    },
  };
  const ethernet: PlannedCluster = {
    title: 'PCIe, Ethernet, NCCL',
    inputs: {
      ...everywhere,
      ...pcie,
      between: assumed('Ethernet, a 100 Gb/s card for each node', ethernetGigabytes, 'GB/s', 'IEEE 802.3'),
      latencyBetween: assumed('latency of Ethernet', 30, 'µs', 'a round figure'),
    },
  };
  if (grpc === undefined) return [infiniBand, ethernet];
  const command =
    '`npx nx run benchmark:scaling -- --only devices`, two processes that share the processors of this machine: a lower bound';
  const overGrpc: PlannedCluster = {
    title: 'PCIe, Ethernet, gRPC',
    inputs: {
      ...ethernet.inputs,
      between: {
        title: 'TensorFlow’s all-reduce over gRPC',
        // The rate was reached, so no share of it is lost again.
        value: Math.min(ethernetGigabytes, grpc.bytesPerSecond / 1e9 / (everywhere.linkShare.value / 100)),
        unit: 'GB/s',
        basis: 'measured',
        source: `${command}; divided by the share that is reached`,
      },
      latencyBetween: {
        title: 'latency of an all-reduce over gRPC',
        value: grpc.latencySeconds * 1e6,
        unit: 'µs',
        basis: 'measured',
        source: command,
      },
    },
  };
  return [infiniBand, ethernet, overGrpc];
}

/** A planned cluster in the units of the model. */
export function clusterOf({ inputs }: PlannedCluster): Cluster {
  const si = (name: InputName): number => inputs[name].value * unitFactors[inputs[name].unit];
  const linkShare = si('linkShare');
  return {
    flopsPerSecond: si('peak') * si('matmulShare'),
    memoryBytesPerSecond: si('memory') * linkShare,
    devicesPerNode: gpusPerNode,
    within: { bytesPerSecond: si('within') * linkShare, latencySeconds: si('latencyWithin') },
    between: { bytesPerSecond: si('between') * linkShare, latencySeconds: si('latencyBetween') },
    bucketBytes: si('bucket'),
    overlaps: true,
    overheadSeconds: si('overhead'),
    dispatchSecondsPerLayer: si('dispatch'),
  };
}
