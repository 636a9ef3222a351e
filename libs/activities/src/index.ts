export { createActivities, type ActivityDependencies } from './create-activities.js';
export { finishTracking, startTracking, trackingOf } from './tracking.js';
