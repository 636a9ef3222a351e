import { resolve } from 'node:path';
import { isJsonObject, type JsonObject, type JsonValue } from '@nautil/contracts';
import { applyOverride } from './apply-override.js';
import { compose } from './compose.js';
import { ConfigError, failOn, type Problem } from './config-error.js';
import { type ConfigNode, isShipped, type MapNode, type Origin, select, showOrigin, toPlain } from './config-node.js';
import { ConfigSearchPath, shippedFolder } from './config-search-path.js';
import { modernise } from './old-spellings.js';
import { type Override, parseOverride } from './parse-override.js';
import { printYaml } from './print-yaml.js';
import { readConfig } from './read-config.js';
import { resolveInterpolations } from './resolve-interpolations.js';
import { type Config, configSchema } from './schema/config-schema.js';
import { schemaAt } from './schema/lookup.js';
import { validate } from './validate.js';

export interface LoadOptions {
  /** Name of a file in the folder, with or without `.yaml`; default `text_classification_config`. */
  configName?: string | undefined;

  /** A folder, absolute or relative to `cwd`; default the checkout's `conf`. */
  configPath?: string | undefined;

  /** Hydra's overrides, in order. */
  overrides?: readonly string[] | undefined;

  /** Where relative paths start; default where the user stands. */
  cwd?: string;

  env?: Readonly<Record<string, string | undefined>>;
}

export interface LoadedConfig {
  /** The configuration as composed, with interpolations resolved. */
  tree: JsonObject;

  /** The tree with every key that it leaves out. */
  config: Config;

  /** What a reader should know: old spellings, and keys that have no effect here. */
  notes: string[];

  /** The tree as OmegaConf prints it. */
  yaml: string;

  /** Where a key got its value: `conf/sst2.yaml:12`, or `override 2: trainer.max_epochs=3`; undefined when it is not written. */
  writtenAt(key: string): string | undefined;

  /** Whether the value comes from a file of the checkout's own `conf`. */
  isShipped(key: string): boolean;
}

/**
 * Composes a configuration as Hydra does, reads old spellings as new ones, and checks all of it.
 *
 * @throws ConfigError with everything that is wrong, where it was written, and the nearest right key.
 */
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
  const spellings = modernise(root);
  const resolved = resolveInterpolations(root, env);
  const { problems, notes } = validate(resolved);
  failOn(problems);
  const tree = plainTree(resolved);
  if (!isJsonObject(tree)) throw new ConfigError([{ message: `${name} is not a map` }]);
  const originOf = (key: string): Origin | undefined => select(resolved, key.split('.'))?.origin;
  return {
    tree,
    config: readConfig(tree),
    notes: [...spellings, ...notes],
    yaml: printYaml(resolved),
    writtenAt: (key) => {
      const origin = originOf(key);
      return origin && (origin.kind === 'file' ? showOrigin(origin) : `${showOrigin(origin)}: ${origin.text}`);
    },
    isShipped: (key) => {
      const origin = originOf(key);
      return origin !== undefined && isShipped(origin);
    },
  };
}

/**
 * NOTE: JSON has one 1, Lightning two: 1.0 is all batches and 1 is one batch. One batch is written as the text "1", so
 * that it survives being stored, and digests of the two differ.
 */
function plainTree(node: ConfigNode, path: string[] = []): JsonValue {
  if (node.kind === 'map') {
    const entries = [...node.entries].map(([key, value]) => [key, plainTree(value, [...path, key])] as const);
    return Object.fromEntries(entries);
  }
  const isOneBatch = node.kind === 'scalar' && node.value === 1 && !node.isFloat;
  return isOneBatch && schemaAt(configSchema, path)?.fraction ? '1' : toPlain(node);
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
