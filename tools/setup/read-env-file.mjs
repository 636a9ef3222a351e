import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from '../../libs/setup/src/setup-error.mjs';

/** Sets the variables in the `.env` of the working folder as `nautil` does, which also checks every line. */
export function readEnvFile() {
  const path = join(process.env.INIT_CWD ?? process.cwd(), '.env');
  if (!existsSync(path)) return;
  try {
    process.loadEnvFile(path);
  } catch (error) {
    throw new SetupError(`${path} cannot be read: ${error.message}`, {
      exitCode: 2,
      hint: 'repair the file, or move it away',
    });
  }
}
