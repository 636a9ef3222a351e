import { type BigIntStats, realpathSync, statSync } from 'node:fs';
import { UsageError } from '@nautil/contracts';
import { contains } from './folders/create-folder.js';

/**
 * Checks that a command may write a file, before it starts to compute. A file that the command reads is never replaced, under
 * whatever name or link, nor is one in a folder that it reads; another existing file is replaced only if the user wants that.
 *
 * @param path - the file that is written, or a link to it
 * @param o.inputs - files and folders that the command reads; names of what does not exist have no effect
 * @param o.force - whether another existing file may be replaced
 * @param o.name - how the user wrote the path
 * @param o.hint - what the user can do about an existing file
 * @throws UsageError for a file that must not be replaced
 */
export function requireOutput(
  path: string,
  o: { inputs: readonly (string | null | undefined)[]; force: boolean; name?: string; hint?: string },
): void {
  const found = statOf(path);
  if (!found) return;
  const name = o.name ?? path;
  const input = o.inputs.find((one) => one !== null && one !== undefined && isOrHas(one, path, found));
  if (input !== undefined)
    throw new UsageError(`${name} would replace ${input}, which the command reads`, { hint: 'write another file' });
  if (found.isDirectory()) throw new UsageError(`${name} is a folder`, { hint: 'write a file' });
  // A file that is renamed to the name of a device or a pipe takes its place, also that of /dev/null.
  if (!found.isFile()) throw new UsageError(`${name} is a device or a pipe`, { hint: 'write a file' });
  if (o.force) return;
  throw new UsageError(`${name} exists`, { hint: o.hint ?? 'add --force to replace it, or write another file' });
}

/** Whether an input is a file, or a folder that has it. */
function isOrHas(input: string, path: string, file: BigIntStats): boolean {
  const found = statOf(input);
  if (!found || !(file.isFile() || file.isDirectory())) return false;
  if (found.dev === file.dev && found.ino === file.ino) return true;
  return found.isDirectory() && file.isFile() && contains(realpathSync(input), realpathSync(path));
}

const statOf = (path: string): BigIntStats | undefined => statSync(path, { bigint: true, throwIfNoEntry: false });
