import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { sha256File, sha256Of } from '@nautil/store';
import { isCheckout, packageRoot } from '@nautil/store/folders';

/** Identifies the code that computed something. */
export interface ProgramVersion {
  /** Of the package: `0.2.0`. */
  version: string;

  /** SHA-256 of the program's files: the sources of a checkout without its tests, or the files of an installed package. */
  code: string;
}

let known: Promise<ProgramVersion> | undefined;

/** The version of this program, read from its files once per process. */
export function programVersion(): Promise<ProgramVersion> {
  known ??= read();
  return known;
}

async function read(): Promise<ProgramVersion> {
  const root = packageRoot();
  const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const version: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : '';
  const folders = isCheckout() ? ['apps', 'libs', 'workflows'] : ['bin', 'lib'];
  const paths: string[] = [];
  for (const folder of folders) {
    for (const entry of await readdir(join(root, folder), { recursive: true, withFileTypes: true })) {
      const path = relative(root, join(entry.parentPath, entry.name));
      if (entry.isFile() && isCode(path)) paths.push(path);
    }
  }
  const lines: string[] = [];
  for (const path of paths.sort()) lines.push(`${path}\0${await sha256File(join(root, path))}`);
  return { version: String(version), code: sha256Of(lines.join('\n')) };
}

const isCode = (path: string): boolean =>
  /\.(?:ts|mts|js|mjs|cjs)$/.test(path) && !/\.(?:test|bench|drill)\.ts$|(?:^|\/)(?:testing|node_modules)\//.test(path);
