import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type FileRef, maskSecrets, type ResolvedRun } from '@nautil/contracts';
import { fileRef, formatBytes, hasStageOutput, knownSha256, stageOutput } from '@nautil/store';
import { fetchFile, NotDownloaded, unpackArchive, versionAt } from '@nautil/store/download';
import { redoOf } from './run-settings.js';
import type { DownloadControl } from './stage-control.js';
import { treeDigest } from './tree-digest.js';

/** A file or folder that is now on this disk. */
export interface Fetched<T> {
  made: T;

  /** True if it had been downloaded or unpacked before; undefined if it is the user's own file, used in place. */
  reused: boolean | undefined;
}

/** What a download depends on beside its address. */
export type DownloadingRun = Pick<ResolvedRun, 'workflowId' | 'runKey' | 'redone'>;

/** Combines the `reused` of several items. */
export const allReused = (...each: (boolean | undefined)[]): boolean | undefined =>
  each.includes(false) ? false : each.find((reused) => reused !== undefined);

/**
 * Downloads the file at an HTTP(S) URL. With a digest, a downloaded file is reused without a request. Without one, it is
 * downloaded again if the server has another version, and once per run if the server sends no version. An interrupted
 * download is resumed.
 */
export async function fetchedFile(
  url: string,
  o: DownloadControl & { run: DownloadingRun; sha256?: string | undefined },
): Promise<Fetched<FileRef>> {
  const { run, sha256, signal, cachedOnly = false, onProgress } = o;
  const name = nameIn(url);
  const redo = redoOf(run, 'download');
  const identity =
    sha256 === undefined
      ? { url, version: (await versionAt({ url, signal })) ?? `of run ${run.workflowId}/${run.runKey}` }
      : { sha256 };
  const inputs = { ...identity, name, redo };
  if (cachedOnly && !(await hasStageOutput('download', inputs))) throw new NotDownloaded(maskSecrets(url));
  const { output, reused, warnings } = await stageOutput(
    'download',
    inputs,
    async ({ folder }) => {
      const to = join(folder, name);
      // The file is complete if a worker was killed right after the download.
      if (sha256 === undefined && existsSync(to)) return fileRef(to);
      return fetchFile({
        url,
        to,
        sha256,
        signal,
        onProgress: (done, total) => onProgress?.(`${name}: ${amount(done, total)}`),
      });
    },
    { keepPartial: true, signal },
  );
  for (const warning of warnings) process.emitWarning(warning);
  return { made: output, reused };
}

/** Unpacks an archive completely; equal archives share a folder. */
export async function unpackedFolder(
  archive: string,
  { signal, onProgress }: DownloadControl,
): Promise<Fetched<string>> {
  onProgress?.(`unpacking ${archive}`);
  const inputs = { sha256: await knownSha256(archive) };
  const { output, reused, warnings } = await stageOutput<{ content: string; digest?: string }>(
    'unpack',
    inputs,
    async ({ folder }) => {
      const content = join(folder, 'content');
      await unpackArchive({ archive, to: content, signal });
      return { content, digest: await treeDigest(content) };
    },
    { signal, verify: isUnchanged },
  );
  for (const warning of warnings) process.emitWarning(warning);
  return { made: output.content, reused };
}

/** Whether a folder has the content that was unpacked. Outputs of earlier versions have no digest. */
async function isUnchanged({ content, digest }: { content: string; digest?: string }): Promise<boolean> {
  if (!existsSync(content)) return false;
  return digest === undefined || (await treeDigest(content)) === digest;
}

/** `12.3 MB of 80.0 MB` */
export const amount = (done: number, total: number | undefined): string =>
  total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`;

/** The file name in a URL, which is kept because its extension identifies the file type. */
function nameIn(url: string): string {
  const last = new URL(url).pathname.split('/').findLast((part) => part !== '') ?? '';
  return last.replace(/%[0-9a-f]{2}|[^\w.-]/gi, '_').replace(/^\.+/, '') || 'file';
}
