import { type ChildProcess, spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { freePort } from '@nautil/store/process';

/** The processes that work together, of which this is one. */
export interface ProcessGroup {
  /** `host:port` of TensorFlow's server of each process. */
  members: string[];
  index: number;
}

/**
 * Runs `work` in `processes` processes: in this one, and in others with the same program and arguments, which call this function, too.
 *
 * @param work - gets undefined if there is one process only
 */
export async function withGroup<T>(processes: number, work: (group?: ProcessGroup) => Promise<T>): Promise<T> {
  if (processes === 1) return work();
  const { values } = parseArgs({ options: { members: { type: 'string' }, index: { type: 'string' } }, strict: false });
  if (typeof values.members === 'string') {
    return work({ members: values.members.split(','), index: Number(values.index) });
  }
  const members: string[] = [];
  while (members.length < processes) {
    const address = `127.0.0.1:${await freePort()}`;
    if (!members.includes(address)) members.push(address);
  }
  const others = members.slice(1).map((_, at) => {
    const args = [
      ...process.execArgv,
      ...process.argv.slice(1),
      '--members',
      members.join(','),
      '--index',
      `${at + 1}`,
    ];
    return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  });
  try {
    const result = await work({ members, index: 0 });
    await Promise.all(others.map(ended));
    return result;
  } finally {
    for (const other of others) other.kill('SIGKILL'); // one that waits for this process
  }
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
