import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { defineError } from '@nautil/contracts';
import { workingFolder } from './working-folder.js';

/** The `.env` of the working folder cannot be used. */
class EnvFileInvalid extends defineError('EnvFileInvalid', 'usage') {}

/**
 * Sets the variables in the `.env` of the working folder, if there is one. Variables that are set already keep their values.
 *
 * @throws EnvFileInvalid for a file that cannot be read or that another user could have put there or can write, and for a line that sets no
 *   variable: Node would skip it, together with the line after it
 */
export function loadEnvFile(folder: string = workingFolder()): void {
  const path = join(folder, '.env');
  const text = textOf(path);
  if (text === undefined) return;
  const wrong = firstInvalidLine(text);
  if (wrong !== undefined) {
    throw new EnvFileInvalid(`${path}: line ${wrong} is not NAME=value`, {
      hint: 'write one variable per line, `#` before a comment, and quotation marks around a value of several lines',
    });
  }
  for (const [name, value] of Object.entries(parseEnv(text))) process.env[name] ??= value;
}

const largestFile = 1 << 20;
const writableByOthers = constants.S_IWGRP | constants.S_IWOTH;

/** NOTE: opened once, so that the file whose owner and mode are checked, that of a link, is the one that is read. */
function textOf(path: string): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // opening a named pipe would wait for a writer
    const found = fstatSync(file);
    if (!found.isFile() || found.size > largestFile) {
      const what = found.isFile() ? `has more than ${largestFile} bytes` : 'is not a file';
      throw new EnvFileInvalid(`${path} ${what}`, { hint: 'move it away, or write one variable per line in it' });
    }
    const { uid, mode } = found;
    if (uid !== 0 && uid !== process.getuid?.()) {
      throw new EnvFileInvalid(`${path} belongs to another user (${uid}), who could choose your settings with it`, {
        hint: 'run the command in a folder of your own, or copy the file to make it yours',
      });
    }
    if ((mode & writableByOthers) !== 0) {
      throw new EnvFileInvalid(`${path} can be written by other users, who could choose your settings with it`, {
        hint: `take that right away: chmod go-w ${realpathSync(path)}`,
      });
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof EnvFileInvalid) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new EnvFileInvalid(`${path} cannot be read: ${(error as Error).message}`, {
      hint: 'repair the file, or move it away: settings can also be variables of the shell',
      cause: error,
    });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Comments, empty lines and variables, as Node reads them: a quoted value may have several lines. */
const valid =
  /[^\S\n]*(?:#[^\n]*|(?:export[^\S\n]+)?[A-Za-z_][\w.-]*[^\S\n]*=[^\S\n]*(?:"[^"\0]*"|'[^'\0]*'|`[^`\0]*`|[^\s"'`\0][^\n\0]*)?[^\S\n]*(?:#[^\n]*)?)?(?:\n|$)/y;

/** The number of the first line that is none of these. */
function firstInvalidLine(text: string): number | undefined {
  valid.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    if (!valid.test(text)) return text.slice(0, at).split('\n').length;
    at = valid.lastIndex;
  }
  return undefined;
}
