import { resolve } from 'node:path';

/** Where the command was typed: npx and Nx change the folder. Relative paths start there. */
export const whereTyped = (): string => process.env['INIT_CWD'] ?? process.cwd();

/** `--config-path` as a worker reads it, which stands elsewhere. */
export const configurationFolder = (path: string | undefined): { configPath?: string } =>
  path === undefined ? {} : { configPath: resolve(whereTyped(), path) };
