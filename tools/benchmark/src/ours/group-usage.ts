import { readdirSync, readFileSync } from 'node:fs';

/** What the processes of a group have used and hold. */
export interface GroupUsage {
  /** Seconds of processor time, of the processes that are alive. */
  cpuSeconds: number;
  residentMb: number;
}

/** Of Linux on all processors that Node supports. */
const ticksPerSecond = 100;
const bytesPerPage = 4096;

/** Reads the group id, the processor time and the resident memory from the text of /proc/PID/stat. */
export function parseStat(stat: string): { group: number; cpuSeconds: number; residentMb: number } {
  // The name of the program, in parentheses, may contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3]); // numbered as in proc(5)
  return {
    group: field(5),
    cpuSeconds: (field(14) + field(15)) / ticksPerSecond,
    residentMb: (field(24) * bytesPerPage) / 1e6,
  };
}

/** What the process group `group` has used so far. */
export function groupUsage(group: number): GroupUsage {
  const usage: GroupUsage = { cpuSeconds: 0, residentMb: 0 };
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    } catch {
      continue; // it has ended
    }
    const member = parseStat(stat);
    if (member.group !== group) continue;
    usage.cpuSeconds += member.cpuSeconds;
    usage.residentMb += member.residentMb;
  }
  return usage;
}
