export { progressAfter } from './progress-after.js';
export { allowedVariables } from './run-environment.js';
export { OutputRoots } from './output-roots.js';
export { checkRun } from './check-run.js';
export { checkRequest } from './stages/resolve-run.js';
export { checkSweep } from './check-sweep.js';
export { requireBatch } from './stages/require-batches.js';
export * as stages from './stages/index.js';
export { finishTracking, startTracking, trackingOfTraining } from './tracking.js';
