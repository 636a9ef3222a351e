export { createActivities, type ActivityDependencies } from './create-activities.js';
export type { Workplace } from './place-run.js';
export { placeAfter } from './place-after.js';
export * as stages from './stages/index.js';
export { finishTracking, startTracking, trackingOfTraining } from './tracking.js';
