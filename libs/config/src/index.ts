export { ConfigError, type Problem } from './config-error.js';
export { explainKey, explainSections, type KeyExplanation, type SectionExplanation } from './explain.js';
export { loadConfig, type LoadedConfig, type LoadOptions } from './load-config.js';
export { configReference } from './reference.js';
export { settingsFrom } from './settings-from.js';
export type * from './settings.js';
export { gridOf, parseSweep, sampleOf, type Sweep } from './sweep.js';
