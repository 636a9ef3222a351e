import { dirname } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { type GpuFacts, gpuProblems, nvidiaFolder } from '@nautil/tensorflow/gpu';
import type { Finding } from './finding.js';

const text = Type.String();
const inspection = Type.Object({
  version: text,
  library: text,
  build: Type.Union([Type.Literal('cpu'), Type.Literal('cuda')]),
  devices: Type.Array(
    Type.Object({ name: text, type: text, memoryBytes: Type.Number(), description: Type.Optional(text) }),
  ),
  libraries: Type.Array(Type.Object({ name: text, path: Type.Optional(text), problem: Type.Optional(text) })),
});

/** What the process that loads TensorFlow for `nautil doctor` prints. */
export type TensorFlowInspection = Static<typeof inspection> & {
  /** What TensorFlow logs of GPUs while it looks for them. */
  log?: string[];
};

const parse = jsonParser(inspection);

/** @param output - of the process, on both streams */
export function parseInspection({ stdout, stderr }: { stdout: string; stderr: string }): TensorFlowInspection {
  const lines = stderr.split('\n').filter((line) => /gpu|cu(da|dnn|init|blas)/i.test(line));
  return {
    ...parse(stdout.trim().split('\n').at(-1) ?? '', 'the inspection of TensorFlow'),
    log: lines.map(withoutTime),
  };
}

/** Without time, process and place: `E0000 00:00:1737317404.258825 10111 gpu_device.cc:2344] Cannot …`. */
const withoutTime = (line: string): string => line.replace(/^.*?\.cc:\d+\] /, '').trim();

/**
 * What `nautil doctor` reports of GPUs. What is missing is a problem where the machine has a GPU and the build for GPUs is installed,
 * and else a warning, because the processor computes; a machine without a GPU that has the build for processors lacks nothing.
 *
 * @param facts - of the machine, with the cards of nvidia-smi
 * @param tensorflow - undefined when the library cannot be loaded, which is a finding of its own
 */
export function gpuFindings(facts: GpuFacts, tensorflow: TensorFlowInspection | undefined): Finding[] {
  const known = tensorflow ? { ...facts, ...factsOf(tensorflow) } : facts;
  const { driver, cards = [], deviceFiles, hasCard, smiProblem, build } = known;
  const problems = gpuProblems(known);
  const hasGpu = driver !== undefined || deviceFiles.length > 0 || hasCard || cards.length > 0;
  if (!hasGpu && build !== 'cuda')
    return [
      {
        state: 'ok',
        name: 'GPU',
        detail: `none: the processor computes (${problems.map(({ what }) => what).join('; ')})`,
      },
    ];
  const version = driver ?? cards[0]?.driver;
  return [
    {
      state: 'ok',
      name: 'NVIDIA driver',
      detail: [version ?? 'none', ...(hasGpu && smiProblem !== undefined ? [smiProblem] : [])].join('; '),
    },
    ...cards.map(({ index, name, memoryMiB, computeCapability }): Finding => {
      const capability = computeCapability === undefined ? '' : `, compute capability ${computeCapability}`;
      return {
        state: 'ok',
        name: `GPU ${index}`,
        detail: `${name}, ${(memoryMiB / 1024).toFixed(1)} GiB${capability}`,
      };
    }),
    ...(tensorflow?.build === 'cuda'
      ? [{ state: 'ok', name: 'CUDA libraries', detail: whereLibrariesAre(tensorflow) } as const]
      : []),
    ...(tensorflow ? [{ state: 'ok', name: "TensorFlow's devices", detail: listed(tensorflow) } as const] : []),
    ...(tensorflow && hasGpu && known.listed === 0 ? logOf(tensorflow) : []),
    ...problems.map(({ what, remedy }): Finding => {
      // What TensorFlow lists, it computes on, although an operation that opens the missing library would fail.
      if ((known.listed ?? 0) > 0) return { state: 'warning', name: 'GPU', detail: what, remedy };
      const state = hasGpu && build === 'cuda' ? 'problem' : 'warning';
      return { state, name: 'GPU', detail: `TensorFlow cannot use one: ${what}`, remedy };
    }),
  ];
}

function factsOf({
  build,
  devices,
  libraries,
}: TensorFlowInspection): Pick<GpuFacts, 'build' | 'listed' | 'libraries'> {
  return { build, libraries, listed: devices.filter(({ type }) => type === 'GPU').length };
}

function whereLibrariesAre({ library, libraries }: TensorFlowInspection): string {
  const nvidia = nvidiaFolder(library);
  const places = new Map<string, string[]>();
  for (const { name, path } of libraries) {
    if (path === undefined) continue;
    const place = path.startsWith(`${nvidia}/`) ? nvidia : dirname(path);
    places.set(place, [...(places.get(place) ?? []), name]);
  }
  if (places.size === 0) return 'none';
  return Array.from(places, ([place, names]) => `${names.join(', ')} in ${place}`).join('; ');
}

const logOf = ({ log = [] }: TensorFlowInspection): Finding[] =>
  log.length === 0 ? [] : [{ state: 'warning', name: "TensorFlow's log", detail: log.join('; ') }];

const listed = ({ devices }: TensorFlowInspection): string =>
  devices
    .map(({ name, memoryBytes, description = '' }) => {
      const device = name.replace(/^.*\/device:/, '');
      return description === '' ? device : `${device} (${description}; ${(memoryBytes / 2 ** 30).toFixed(1)} GiB)`;
    })
    .join(', ');
