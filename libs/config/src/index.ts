export { ConfigError, type Problem } from './config-error.js';
export type { JsonObject, JsonValue } from './config-node.js';
export { loadConfig, type LoadedConfig, type LoadOptions } from './load-config.js';
export { settingsFrom } from './settings-from.js';
export type * from './settings.js';
export { gridOf, parseSweep, sampleOf, type Sweep } from './sweep.js';
