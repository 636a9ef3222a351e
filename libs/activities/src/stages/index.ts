export { cache } from './cache.js';
export { convert } from './convert.js';
export { download } from './download.js';
export { evaluate, type Evaluate } from './evaluate.js';
export { packageModel } from './package.js';
export { resolveRun } from './resolve-run.js';
export { tokenize } from './tokenize.js';
export { trainModel } from './train.js';
export { trainMember } from './train-member.js';
