export { collectGarbage, type CollectedGarbage, type GarbageOptions } from './collect-garbage.js';
export { measureFolder } from './measure-folder.js';
export { measureHome, type StoredKind } from './measure-home.js';
