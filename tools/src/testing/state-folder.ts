import { mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './run-program.js';

/** A state folder (NAUTIL_HOME) of its own, with what the set-up made as links: nothing is installed for it, and it has no servers. */
export class StateFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<StateFolder> {
    const path = await realpath(await mkdtemp(join(tmpdir(), 'nautil-state-')));
    const from = process.env['NAUTIL_HOME'] ?? join(root, '.nautil');
    await mkdir(path, { recursive: true });
    for (const part of ['models', 'python', 'tensorflow']) await symlink(join(from, part), join(path, part));
    return new StateFolder(path);
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}
