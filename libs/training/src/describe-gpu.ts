import type { Device } from '@nautil/tensorflow';

const gigabyte = 1e9;

/**
 * A GPU as TensorFlow lists it, in one line: `GPU:0, NVIDIA H100 80GB HBM3, 79.3 GB, compute capability 9.0`. The memory is what
 * TensorFlow may use.
 */
export function describeGpu({ name, memoryBytes, description = '' }: Device): string {
  const field = (key: string): string | undefined =>
    new RegExp(`(?:^|, )${key}: (.*?)(?:, [a-z ]+: |$)`).exec(description)?.[1];
  const [card, capability] = [field('name'), field('compute capability')];
  return [
    /[^:]*:\d+$/.exec(name)?.[0] ?? name,
    ...(card === undefined ? [] : [card]),
    `${(memoryBytes / gigabyte).toFixed(1)} GB`,
    ...(capability === undefined ? [] : [`compute capability ${capability}`]),
  ].join(', ');
}
