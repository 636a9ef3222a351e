import { readFileSync } from 'node:fs';

/** The vector instructions of a processor, as far as TensorFlow's kernels differ by them. */
export interface Processor {
  /** For example `AVX-512 + bfloat16`. */
  instructions: string;

  /** Whether it multiplies bfloat16 numbers. */
  hasBfloat16: boolean;
}

/** @param cpuInfo - the content of Linux's /proc/cpuinfo */
export function processorOf(cpuInfo: string): Processor {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuInfo)?.[1]?.trim().split(/\s+/));
  const vectors = (
    [
      ['avx512f', 'AVX-512'],
      ['avx2', 'AVX2'],
      ['avx', 'AVX'],
      ['asimd', 'NEON'],
    ] as const
  ).find(([flag]) => flags.has(flag));
  const hasBfloat16 = ['avx512_bf16', 'amx_bf16', 'avx_ne_convert', 'bf16'].some((flag) => flags.has(flag));
  const name = vectors?.[1] ?? `${process.arch} without known vector instructions`;
  const additions = [...(flags.has('amx_tile') ? ['AMX'] : []), ...(hasBfloat16 ? ['bfloat16'] : [])];
  return { instructions: [name, ...additions].join(' + '), hasBfloat16 };
}

/** This machine's processor. */
export function readProcessor(): Processor {
  let cpuInfo = '';
  try {
    cpuInfo = readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    // Not Linux.
  }
  return processorOf(cpuInfo);
}
