import { resolve } from 'node:path';
import { applyOverride } from './apply-override.js';
import { compose } from './compose.js';
import { ConfigError, failOn, type Problem } from './config-error.js';
import { toPlain, type JsonObject, type MapNode } from './config-node.js';
import { ConfigSearchPath, shippedFolder } from './config-search-path.js';
import { parseOverride, type Override } from './parse-override.js';
import { resolveInterpolations } from './resolve-interpolations.js';
import { isObject } from './schema/lookup.js';
import type { Settings } from './settings.js';
import { settingsFrom } from './settings-from.js';

export interface LoadOptions {
  /** Name of a file in the folder, with or without `.yaml`; default `text_classification_config`. */
  configName?: string;

  /** A folder, absolute or relative to `cwd`; default the checkout's `conf`. */
  configPath?: string;

  /** Hydra's overrides, in order. */
  overrides?: readonly string[];

  /** Where relative paths start; default where the user stands. */
  cwd?: string;

  env?: Readonly<Record<string, string | undefined>>;
}

export interface LoadedConfig {
  /** NeMo's snake_case tree as composed, interpolations resolved. */
  tree: JsonObject;
  settings: Settings;
  notes: string[];
}

export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const { overrides = [], env = process.env } = options;
  const cwd = resolve(options.cwd ?? process.env['INIT_CWD'] ?? process.cwd());
  const folder = options.configPath === undefined ? shippedFolder() : resolve(cwd, options.configPath);
  const search = new ConfigSearchPath([folder, shippedFolder()], cwd);
  const name = (options.configName ?? 'text_classification_config').replace(/\.yaml$/, '');

  const parsed = parseAll(overrides);
  const isGroup = (override: Override): boolean => search.isGroup(override.key);
  const { root } = await compose(search, name, parsed.filter(isGroup));
  failOn(
    applyAll(
      root,
      parsed.filter((override) => !isGroup(override)),
    ),
  );
  const resolved = resolveInterpolations(root, env);
  const tree = toPlain(resolved);
  if (!isObject(tree)) throw new ConfigError([{ message: `${name} is not a map` }]);
  return { tree, settings: settingsFrom(tree), notes: [] };
}

function parseAll(texts: readonly string[]): Override[] {
  const problems: Problem[] = [];
  const parsed = texts.flatMap((text, index) => {
    try {
      return [parseOverride(text, index + 1)];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return [];
    }
  });
  failOn(problems);
  return parsed;
}

function applyAll(root: MapNode, overrides: readonly Override[]): Problem[] {
  return overrides.flatMap((override) => {
    try {
      applyOverride(root, override);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.problems;
    }
  });
}
