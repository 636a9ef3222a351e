export { goldenEncoders, type GoldenEncoder } from './golden-encoders.js';
export { goldenFiles, goldenPath, goldenSetWith, readGoldenJson } from './golden-set.js';
export { testIf } from './test-if.js';
export { withFolder } from './with-folder.js';
