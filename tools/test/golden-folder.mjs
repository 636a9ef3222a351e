import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The folder of recorded truth: GOLDEN, from the workspace root, or the one that is shared beside the checkout. */
export const goldenFolder = resolve(root, process.env.GOLDEN || '../shared/golden');
