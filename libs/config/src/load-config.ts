import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileProblem, isJsonObject, type JsonObject } from '@nautil/contracts';
import { applyOverride } from './apply-override.js';
import { compose } from './compose.js';
import { ConfigError, failOn, type Problem } from './config-error.js';
import { type ConfigNode, isShipped, type MapNode, type Origin, select, showOrigin, walk } from './config-node.js';
import { ConfigSearchPath, shippedFolder } from './config-search-path.js';
import { EnvironmentValues } from './environment-values.js';
import { type Override, parseOverride } from './parse-override.js';
import { type FromEnvironment, plainTree, shownTree } from './plain-tree.js';
import { printYaml } from './print-yaml.js';
import { type Processor, readProcessor } from './processor.js';
import { readConfig } from './read-config.js';
import { renameLegacyKeys } from './rename-legacy-keys.js';
import { resolveAutoPrecision } from './resolve-auto-precision.js';
import { resolveInterpolations } from './resolve-interpolations.js';
import type { Config } from './schema/config-schema.js';
import { userPath } from './user-path.js';
import { validate } from './validate.js';

export interface LoadOptions {
  /** The name of a file in the folder, with or without `.yaml`. Default: `text_classification_config`. */
  configName?: string | undefined;

  /** A folder, absolute or relative to `cwd` or `~`. It must exist. Default: Nautil's own `conf`. */
  configPath?: string | undefined;

  /** Overrides in Hydra's grammar, in order. */
  overrides?: readonly string[] | undefined;

  /** The base of relative paths. Default: npm's INIT_CWD, or else the working directory. */
  cwd?: string;

  /** The environment for `${oc.env:…}`. Default: `process.env`. */
  env?: Readonly<Record<string, string | undefined>>;

  /** Names of the variables that `${oc.env:…}` may read. Default: all. */
  allowedEnv?: readonly string[] | undefined;

  /** The processor for `trainer.precision=auto`. Default: that of this machine. */
  processor?: Processor;
}

export interface LoadedConfig {
  /**
   * The composed configuration, with interpolations resolved, except for those of the environment. It is what is stored, logged
   * and sent; see `revealTree`.
   */
  tree: JsonObject;

  /** What the tree refers to in the environment. */
  fromEnvironment: FromEnvironment;

  /** The tree with the values of the environment, and with a value for each key that it leaves out. */
  config: Config;

  /** Notes for the user: legacy keys, ignored values, and keys without effect. */
  notes: string[];

  /** The tree as OmegaConf prints it. */
  yaml: string;

  /** The source of a value: `conf/sst2.yaml:12`, or `override 2: trainer.max_epochs=3`; undefined when no source sets it. */
  writtenAt(key: string): string | undefined;

  /** True when the value comes from a file in Nautil's own `conf`. */
  isShipped(key: string): boolean;
}

/**
 * Composes a configuration as Hydra does, renames legacy keys, resolves interpolations, and validates the result.
 *
 * @throws ConfigError that lists every problem of the failing step with its source, and suggests corrections
 */
export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const { overrides = [], env = process.env, allowedEnv } = options;
  const cwd = resolve(options.cwd ?? process.env['INIT_CWD'] ?? process.cwd());
  const folder = options.configPath === undefined ? shippedFolder() : requireFolder(userPath(cwd, options.configPath));
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
  const legacyNotes = renameLegacyKeys(root);
  const names = new Set<string>();
  const resolved = resolveInterpolations(root, { values: env, allowed: allowedEnv }, (variable) => names.add(variable));
  const values = new EnvironmentValues([...names], { values: env });
  const precisionNotes = resolveAutoPrecision(resolved, options.processor ?? readProcessor());
  const { problems, notes } = validate(resolved);
  failOn(values.conceal(problems));
  const shown = shownTree(resolved);
  const tree = plainTree(shown);
  const real = plainTree(resolved);
  if (!isJsonObject(tree) || !isJsonObject(real)) throw new ConfigError([{ message: `${name} is not a map` }]);
  const originOf = (key: string): Origin | undefined => select(resolved, key.split('.'))?.origin;
  return {
    tree,
    config: readConfig(real),
    fromEnvironment: { names: [...names], keys: keysFromEnvironment(resolved) },
    notes: values.conceal([...legacyNotes, ...precisionNotes, ...notes]),
    yaml: printYaml(shown),
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

/** Without this check, a configuration of the same name in Nautil's own folder would be used in its place. */
function requireFolder(path: string): string {
  let problem: string | undefined;
  try {
    if (statSync(path).isDirectory()) return path;
    problem = 'is a file, not a folder';
  } catch (error) {
    problem = fileProblem(error);
    if (problem === undefined) throw error;
  }
  throw new ConfigError([
    {
      message: `--config-path: ${path} ${problem}`,
      hint: ['name the folder of the configuration, and its file with --config-name'],
    },
  ]);
}

const keysFromEnvironment = (root: ConfigNode): string[] =>
  [...walk(root)].flatMap(({ path, node }) =>
    node.kind === 'scalar' && node.shown !== undefined ? [path.join('.')] : [],
  );

function parseAll(texts: readonly string[]): Override[] {
  const problems: Problem[] = [];
  const parsed = texts.flatMap((text, index) => {
    try {
      return [parseOverride(text, index + 1)];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const problem of error.problems) problems.push(problem);
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
