import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { smallest } from '@nautil/contracts';

/** A control group that can limit memory: the files with its limit, its use, and the part of it that is reclaimed on demand. */
const versions = [
  { mount: '/sys/fs/cgroup', controller: '', limit: 'memory.max', use: 'memory.current', inactive: 'inactive_file' },
  {
    mount: '/sys/fs/cgroup/memory',
    controller: 'memory',
    limit: 'memory.limit_in_bytes',
    use: 'memory.usage_in_bytes',
    inactive: 'total_inactive_file',
  },
];

/**
 * Bytes of memory that this process and its children may still take: what the machine has available, or less if a control group (of
 * a container, a service or a job) limits them.
 */
export function availableMemory(): number {
  const [, kibibytes] = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1')) ?? [];
  return smallest([Number(kibibytes) * 1024, ...groupsOfThisProcess().map(availableIn)]);
}

type Group = (typeof versions)[number] & { folder: string };

/** The control groups of this process, and those that contain them, in both versions of control groups. */
function groupsOfThisProcess(): Group[] {
  const lines = (textOf('/proc/self/cgroup') ?? '').split('\n').map((line) => line.split(':'));
  return versions.flatMap((version) => {
    const [, , path = '/'] = lines.find(([, controllers]) => controllers === version.controller) ?? [];
    const names = path.split('/').filter((name) => name !== '');
    // In a container, the path may be that of the host, and only the root is visible.
    return Array.from({ length: names.length + 1 }, (_, depth) => ({
      ...version,
      folder: join(version.mount, ...names.slice(0, depth)),
    }));
  });
}

/** Bytes that a group may still take; Infinity without a limit. */
function availableIn({ folder, limit, use, inactive }: Group): number {
  const [limitBytes, usedBytes] = [limit, use].map((name) => Number(textOf(join(folder, name)) ?? NaN)) as [
    number,
    number,
  ];
  if (Number.isNaN(limitBytes) || Number.isNaN(usedBytes)) return Infinity; // no limit is written as `max`
  const reclaimable = new RegExp(`^${inactive} (\\d+)$`, 'm').exec(textOf(join(folder, 'memory.stat')) ?? '')?.[1] ?? 0;
  return Math.max(0, limitBytes - usedBytes + Number(reclaimable));
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trim();
  } catch {
    return undefined;
  }
}
