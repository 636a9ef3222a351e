import { readFileSync } from 'node:fs';

/**
 * The largest resident size of this process so far, in bytes. Node's `resourceUsage().maxRSS` begins with that of the process that started
 * this one.
 */
export function peakMemory(): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  return Number(kibibytes) * 1024;
}
