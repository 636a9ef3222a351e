export { PortInUse } from './errors.js';
export { mlflowVersionAt, startMlflowServer } from './mlflow-server.js';
export { portHolder } from './ports.js';
export type { ServerHandle } from './server-handle.js';
export { startStack, stackStatus, stopStack, type ServerStatus, type WorkerSpec } from './stack.js';
export { stackAddresses, type StackSettings } from './stack-settings.js';
export { isTemporalServing } from './temporal-health.js';
export { startTemporalServer } from './temporal-server.js';
