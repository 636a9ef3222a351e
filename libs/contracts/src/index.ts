export * from './errors.js';
export * from './events.js';
export * from './report.js';
export * from './workflow.js';
