import { isJsonObject, type JsonObject } from '@nautil/contracts';
import { missing } from './config-node.js';
import { type Config, configSchema } from './schema/config-schema.js';
import { fillDefaults } from './schema/lookup.js';

/**
 * Converts a tree that `loadConfig` has validated to a `Config`: each key that the tree leaves out gets the value that NeMo's
 * code uses for it. Paths stay as they are written.
 */
export function readConfig(tree: JsonObject): Config {
  // The cast is safe: `loadConfig` has validated the tree, and `fillDefaults` gives every other key a value.
  return fillDefaults(configSchema, withoutMissing(tree)) as unknown as Config;
}

// After validation, only keys that need not be set can be `???`, which means the same as leaving them out.
function withoutMissing(tree: JsonObject): JsonObject {
  const kept = Object.entries(tree)
    .filter(([, value]) => value !== missing)
    .map(([key, value]) => [key, isJsonObject(value) ? withoutMissing(value) : value] as const);
  return Object.fromEntries(kept);
}
