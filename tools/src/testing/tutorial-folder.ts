import { mkdtemp, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@nautil/store/process';
import { type Ended, root, runProgram } from './run-program.js';
import { StateFolder } from './state-folder.js';

/** A tutorial with a tenth of the examples, by the numbers of its `head -n`. */
export const fewerExamples = (tutorial: string): string => tutorial.replace(/head -n (\d+)01\b/g, 'head -n $11');

/** A folder in which the commands of a tutorial run as in a checkout, with a state folder and ports of its own. */
export class TutorialFolder {
  readonly path: string;
  readonly mlflowUri: string;
  readonly #state: StateFolder;
  readonly #env: Record<string, string>;

  private constructor(path: string, state: StateFolder, ports: readonly [number, number, number]) {
    const [temporal, ui, mlflow] = ports.map(String) as [string, string, string];
    this.path = path;
    this.mlflowUri = `http://127.0.0.1:${mlflow}`;
    this.#state = state;
    this.#env = {
      NAUTIL_HOME: state.path,
      NAUTIL_TEMPORAL_PORT: temporal,
      NAUTIL_TEMPORAL_UI_PORT: ui,
      NAUTIL_MLFLOW_PORT: mlflow,
    };
  }

  static async make(): Promise<TutorialFolder> {
    const path = await realpath(await mkdtemp(join(tmpdir(), 'nautil-tutorial-')));
    for (const name of ['node_modules', 'samples']) await symlink(join(root, name), join(path, name));
    return new TutorialFolder(path, await StateFolder.make(), [await freePort(), await freePort(), await freePort()]);
  }

  /** Runs a script in bash until a command fails. What it prints is in `stdout`, with what it prints to standard error. */
  run(script: string): Promise<Ended> {
    return runProgram('bash', ['-e', '-o', 'pipefail', '-c', `exec 2>&1\n${script}`], {
      cwd: this.path,
      env: this.#env,
    });
  }

  async remove(): Promise<void> {
    await this.run('npx --no-install nautil down');
    await this.#state.remove();
    await rm(this.path, { recursive: true, force: true, maxRetries: 5 });
  }
}
