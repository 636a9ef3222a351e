import { readFileSync } from 'node:fs';

/**
 * Whether the processor sums products of signed and unsigned bytes in 32 bits (VNNI). Without these instructions, onnxruntime adds
 * pairs of products in 16 bits, where they can overflow, unless both factors are unsigned.
 *
 * @param cpuInfo - the content of Linux's /proc/cpuinfo
 */
export function hasByteProducts(cpuInfo = readCpuInfo()): boolean {
  const flags = new Set(cpuInfo.split(/\s+/));
  return flags.has('avx512_vnni') || flags.has('avx_vnni');
}

function readCpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return ''; // Not Linux: unsigned bytes are exact everywhere.
  }
}
