import { join } from 'node:path';
import { isCheckout, packageRoot } from '@nautil/store/folders';

/** The file that runs this program's commands. In a checkout, it is not the bundle, which is made anew when a source changes. */
export const nautilProgram = join(packageRoot(), ...(isCheckout() ? ['apps', 'cli'] : []), 'bin', 'nautil.mjs');
