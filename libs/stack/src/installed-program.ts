import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nautilHome } from '@nautil/store/folders';
import { NotSetUp } from './errors.js';

/** Path of a program in the Python environment that the set-up creates: `temporal`, `mlflow`, `temporal-test-server`. */
export function installedProgram(name: string): string {
  const path = join(nautilHome(), 'python', 'bin', name);
  if (!existsSync(path)) throw new NotSetUp(`${path} is missing`, { hint: 'run `npx nautil setup`' });
  return path;
}
