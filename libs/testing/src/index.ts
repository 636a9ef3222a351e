export { goldenEncoders, type GoldenEncoder } from './golden-encoders.js';
export { goldenFiles, goldenPath, goldenSetWith, readGoldenJson } from './golden-set.js';
export { testAccelerator, testDevice } from './test-device.js';
export { testIf } from './test-if.js';
export { withFolder } from './with-folder.js';
