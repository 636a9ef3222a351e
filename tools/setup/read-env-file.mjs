import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv, TextDecoder } from 'node:util';
import { SetupError } from '../../libs/setup/src/setup-error.mjs';

/** Sets the variables in the `.env` of the working folder. `nautil` does so, too, and also checks every line. */
export function readEnvFile() {
  const path = join(process.env.INIT_CWD ?? process.cwd(), '.env');
  if (!existsSync(path)) return;
  for (const [name, value] of Object.entries(parseEnv(textOf(path)))) process.env[name] ??= value;
}

const writableByOthers = constants.S_IWGRP | constants.S_IWOTH;

/** NOTE: opened once, so that the file whose owner and mode are checked, that of a link, is the one that is read. */
function textOf(path) {
  let file;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // opening a named pipe would wait for a writer
    const found = fstatSync(file);
    if (!found.isFile()) throw new SetupError(`${path} is not a file`, { exitCode: 2, hint: 'move it away' });
    const { uid, mode } = found;
    if (uid !== 0 && uid !== process.getuid?.()) {
      throw new SetupError(`${path} belongs to another user (${uid}), who could choose your settings with it`, {
        exitCode: 2,
        hint: 'run the command in a folder of your own, or copy the file to make it yours',
      });
    }
    if ((mode & writableByOthers) !== 0) {
      throw new SetupError(`${path} can be written by other users, who could choose your settings with it`, {
        exitCode: 2,
        hint: `take that right away: chmod go-w ${realpathSync(path)}`,
      });
    }
    return new TextDecoder().decode(readFileSync(file));
  } catch (error) {
    if (error instanceof SetupError) throw error;
    throw new SetupError(`${path} cannot be read: ${error.message}`, {
      exitCode: 2,
      hint: 'repair the file, or move it away',
    });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
