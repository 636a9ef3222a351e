import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type LoadedTokenizer, loadTokenizer } from '@nautil/tokenization';

type TokenizerOptions = Parameters<typeof loadTokenizer>[0];

let newest: { key: string; tokenizer: Promise<LoadedTokenizer> } | undefined;

/**
 * Loads a tokenizer, unless it is the one that was loaded last, from the same files. Loading takes 0.3 s of the processor, and a
 * run needs its tokenizer in four stages, as do the trials of a sweep.
 *
 * @throws as `loadTokenizer`
 */
export async function sharedTokenizer(options: TokenizerOptions): Promise<LoadedTokenizer> {
  const key = JSON.stringify([options, await statesOfFiles(options)]);
  if (newest?.key === key) return newest.tokenizer;
  const tokenizer = loadTokenizer(options);
  newest = { key, tokenizer };
  tokenizer.catch(() => {
    if (newest?.tokenizer === tokenizer) newest = undefined;
  });
  return tokenizer;
}

/** The files that a tokenizer may be loaded from. A file that was written has another time of change, whatever its other times. */
async function statesOfFiles({ folder, vocabFile }: TokenizerOptions): Promise<string[]> {
  const names = folder === undefined ? [] : await readdir(folder).catch(() => []);
  const files = names.filter((name) => /\.(?:json|txt|model)$/.test(name)).map((name) => join(folder ?? '', name));
  return Promise.all(
    [...files, ...(vocabFile === undefined ? [] : [vocabFile])].map(async (file) => {
      const found = await stat(file, { bigint: true }).catch(() => undefined);
      return `${file} ${found?.ino} ${found?.size} ${found?.mtimeNs} ${found?.ctimeNs}`;
    }),
  );
}
