import { resolve } from 'node:path';

/** The folder in which the command was typed, where relative paths start: npx and Nx change the current folder. */
export const workingFolder = (): string => process.env['INIT_CWD'] ?? process.cwd();

/** `--config-path` as an absolute path, since a worker runs in another folder. */
export const configurationFolder = (path: string | undefined): { configPath?: string } =>
  path === undefined ? {} : { configPath: resolve(workingFolder(), path) };
