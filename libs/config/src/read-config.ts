import { isJsonObject, type JsonObject } from '@nautil/contracts';
import { missing } from './config-node.js';
import { type Config, configSchema } from './schema/config-schema.js';
import { fillDefaults } from './schema/lookup.js';

/**
 * The configuration in a tree that `loadConfig` has checked: keys that it leaves out get the value that NeMo's code uses then.
 * Paths stay as they are written.
 */
export function readConfig(tree: JsonObject): Config {
  // The cast is safe: `loadConfig` has validated the tree, and `fillDefaults` gives every other key a value.
  return fillDefaults(configSchema, withoutMissing(tree)) as unknown as Config;
}

// A `???` that nobody has to replace means the same as a key that is left out.
function withoutMissing(tree: JsonObject): JsonObject {
  const kept = Object.entries(tree)
    .filter(([, value]) => value !== missing)
    .map(([key, value]) => [key, isJsonObject(value) ? withoutMissing(value) : value] as const);
  return Object.fromEntries(kept);
}
