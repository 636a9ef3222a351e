import { readFileSync, writeFileSync } from 'node:fs';

/**
 * The largest resident size of this process so far, or since `restartPeakMemory`, in bytes. Node's `resourceUsage().maxRSS` begins with
 * that of the process that started this one.
 */
export function peakMemory(): number {
  const [, kibibytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
  return Number(kibibytes) * 1024;
}

/** Sets the peak to the current size. Where the kernel does not permit this, the earlier peak stays. */
export function restartPeakMemory(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // a kernel without CONFIG_PROC_PAGE_MONITOR, or a container that forbids it
  }
}
