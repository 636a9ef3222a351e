import { fileURLToPath } from 'node:url';

/** The file that runs this program's commands. NOTE: the path holds in the checkout and in the package, whose code is in `lib`. */
export const nautilProgram = fileURLToPath(new URL('../bin/nautil.mjs', import.meta.url));
