import { constants, gunzipSync } from 'node:zlib';
import { openFile } from '@nautil/store/streams';

/** archive: a tar archive, also one packed by gzip, as `.nemo` archives are. tensors: weights or a checkpoint. */
export type Content = 'archive' | 'tensors' | 'other';

const sniffedBytes = 512;

/** What a file contains, by its first bytes. A pipe, whose bytes can be read only once, is `other`, as is what can't be read. */
export async function contentOf(path: string): Promise<Content> {
  const start = await startOf(path);
  if (isTar(start) || isTar(unpackedStart(start))) return 'archive';
  return isSafetensors(start) || isTorchZip(start) || isPickle(start) ? 'tensors' : 'other';
}

async function startOf(path: string): Promise<Buffer> {
  try {
    const file = await openFile(path);
    try {
      const start = Buffer.alloc(sniffedBytes);
      const { bytesRead } = await file.read(start, 0, sniffedBytes, 0);
      return start.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return Buffer.alloc(0); // reading the file reports the error
  }
}

const isTar = (start: Buffer): boolean => start.toString('latin1', 257, 262) === 'ustar';

/** The start of what gzip packed; empty for another file. */
function unpackedStart(start: Buffer): Buffer {
  if (start[0] !== 0x1f || start[1] !== 0x8b) return Buffer.alloc(0);
  try {
    return gunzipSync(start, { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return Buffer.alloc(0);
  }
}

/** The length of the header has eight bytes, of which four are 0 in every header below 4 GiB. */
const isSafetensors = (start: Buffer): boolean => start.toString('latin1', 4, 9) === '\0\0\0\0{';

/** The first member of a zip of torch.save. */
const isTorchZip = (start: Buffer): boolean =>
  start.toString('latin1', 0, 4) === 'PK\x03\x04' && start.includes('/data.pkl');

/** torch.save wrote a pickle before PyTorch 1.6. */
const isPickle = (start: Buffer): boolean => start[0] === 0x80 && [2, 3, 4, 5].includes(start[1] ?? 0);
