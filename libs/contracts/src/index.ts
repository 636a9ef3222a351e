export * from './activities.js';
export * from './errors.js';
export * from './events.js';
export * from './json.js';
export * from './report.js';
export * from './sweep.js';
export * from './trainer-protocol.js';
export * from './workflow.js';
