import { type NemoArchive, readNemo } from '../nemo/read-nemo.js';

/** Opens a .nemo archive for `use`, and closes it afterwards. */
export async function withArchive<T>(path: string, use: (archive: NemoArchive) => Promise<T>): Promise<T> {
  const archive = await readNemo(path);
  try {
    return await use(archive);
  } finally {
    await archive.close();
  }
}
