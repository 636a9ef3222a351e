export { createActivities } from './create-activities.js';
export type { ReservedAddress } from './join-group.js';
