import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { userPath } from '@nautil/config';
import { escapeControls, UsageError } from '@nautil/contracts';
import { requireOutput } from '@nautil/store';
import type { NewFlags } from './new-flags.js';
import type { Questions } from './questions.js';

/** Where a new configuration is written. */
interface Place {
  /** Name of the experiment. */
  experiment: string;

  /** As it is typed in the working folder. */
  file: string;

  /** Whether a file that is there is replaced, as the user wants. */
  replaces: boolean;
}

/** The configuration that the written file extends, and therefore cannot replace. */
const extended = 'text_classification_config';

/** Leaves room in a name of 255 bytes for what is appended to it. */
const longestName = 128;

/** The name of the experiment and the file to write. @throws UsageError for a name that can't be one, or a file that exists */
export async function placeOf(
  name: string,
  flags: NewFlags,
  { cwd, questions }: { cwd: string; questions: Questions | undefined },
): Promise<Place> {
  const plain = name.replace(/\.ya?ml$/i, '');
  const experiment = basename(plain);
  const file = flags.output ?? join(dirname(plain), `${experiment}.yaml`);
  requireNames({ name, plain, experiment, file });
  const path = userPath(cwd, file);
  const there = await stat(path).catch(() => undefined);
  const inputs = await dataFiles(flags, cwd);
  requireOutput(path, { inputs, force: true, name: file });
  if (there === undefined || flags.force) return { experiment, file, replaces: there !== undefined };
  if (await questions?.confirm(`${file} exists. Replace it?`)) return { experiment, file, replaces: true };
  requireOutput(path, {
    inputs,
    force: false,
    name: file,
    hint: 'add --force to replace it, or --output FILE to write another',
  });
  return { experiment, file, replaces: false };
}

/** Files of data. A folder of data has files of other names than a configuration. */
async function dataFiles({ data, validation, test }: NewFlags, cwd: string): Promise<string[]> {
  const paths = [data, validation, test].flatMap((path) => (path === undefined ? [] : [userPath(cwd, path)]));
  const areFiles = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        (found) => found.isFile(),
        () => false,
      ),
    ),
  );
  return paths.filter((_, at) => areFiles[at]);
}

function requireNames({
  name,
  plain,
  experiment,
  file,
}: {
  name: string;
  plain: string;
  experiment: string;
  file: string;
}): void {
  const problem = (message: string, hint: string): UsageError => new UsageError(message, { hint });
  const hasControls = [plain, file].some((text) => /[\n\t]/.test(text) || escapeControls(text) !== text);
  if (/^\.{0,2}$/.test(experiment) || plain.endsWith('/') || hasControls)
    throw problem(
      `${JSON.stringify(name)} can't be the name of an experiment and of a file`,
      'write a word, such as reviews',
    );
  const bytes = Buffer.byteLength(experiment);
  if (bytes > longestName) throw problem(`the name has ${bytes} bytes`, `write at most ${longestName}`);
  if (!file.endsWith('.yaml'))
    throw problem(`--output: ${file}: the name of a configuration ends in .yaml`, `write --output ${experiment}.yaml`);
  if (basename(file) === `${extended}.yaml`)
    throw problem(`${basename(file)} is the configuration that the new one extends`, 'choose another name');
}
