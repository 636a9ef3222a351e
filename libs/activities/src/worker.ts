export { createActivities } from './create-activities.js';
