import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { jsonParser } from '@nautil/contracts/schemas';
import { isCheckout, packageRoot } from '@nautil/store/folders';

const manifest = Type.Object({ version: Type.String(), gitHead: Type.Optional(Type.String()) });
const parseManifest = jsonParser(manifest);

/** The package.json of the checkout, or of the installed package. */
function readManifest(): Static<typeof manifest> {
  const path = join(packageRoot(), 'package.json');
  return parseManifest(readFileSync(path, 'utf8'), path);
}

/** What a report of a problem needs: the versions of Nautil with its commit, of Node, and of the TensorFlow library. */
export async function versionText(): Promise<string> {
  const { version, gitHead } = readManifest();
  return [
    `nautil ${version}`,
    `commit ${gitHead ?? commitOfCheckout() ?? 'unknown'}`,
    `node ${process.versions.node}`,
    `TensorFlow ${await tensorFlowBuild()}`,
  ].join('\n');
}

function commitOfCheckout(): string | undefined {
  if (!isCheckout()) return undefined;
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', packageRoot(), ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ', with changes';
    return git('rev-parse', 'HEAD') + changed;
  } catch {
    return undefined; // git, or its folder, is missing
  }
}

/** The build by the name of its folder, as the set-up names it; the library itself would take a second to load. */
async function tensorFlowBuild(): Promise<string> {
  const { tensorFlowLibrary } = await import('@nautil/tensorflow');
  try {
    const library = tensorFlowLibrary();
    const [, version, isGpu] = /^(\d+\.\d+\.\d+)(-gpu)?$/.exec(basename(dirname(library))) ?? [];
    return version === undefined ? library : `${version}, for ${isGpu ? 'NVIDIA GPUs' : 'processors'}`;
  } catch {
    return 'is not installed: `npx nautil setup` installs it';
  }
}
