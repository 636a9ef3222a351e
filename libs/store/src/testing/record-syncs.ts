import { readlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';

/** Does the work, and returns the paths of the files and folders that it synced to the disk, in order. */
export async function recordSyncs(work: () => Promise<unknown>): Promise<string[]> {
  const synced: string[] = [];
  const folder = await open(tmpdir());
  const handles = Object.getPrototypeOf(folder) as Pick<FileHandle, 'sync' | 'datasync'>;
  await folder.close();
  const { sync, datasync } = handles;
  const record = ({ fd }: FileHandle): number => synced.push(readlinkSync(`/proc/self/fd/${fd}`));
  handles.sync = function (this: FileHandle) {
    record(this);
    return sync.call(this);
  };
  handles.datasync = function (this: FileHandle) {
    record(this);
    return datasync.call(this);
  };
  try {
    await work();
  } finally {
    Object.assign(handles, { sync, datasync });
  }
  return synced;
}
