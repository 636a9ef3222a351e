export { limitInNemo } from './nemo-encoders.js';
export { isNemo } from './is-nemo.js';
export { readNemo, type NemoArchive } from './read-nemo.js';
export { parseNemoYaml, stringifyNemoYaml } from './nemo-yaml.js';
export { withTarget, writeNemo, type NemoArtifact } from './write-nemo.js';
export { describeNemo, type NemoDescription } from './describe-nemo.js';
export { rewriteNemo } from './rewrite-nemo.js';
export { checkNemo, verifyNemo, type NemoVerification } from './verify-nemo.js';
