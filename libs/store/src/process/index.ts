export { availableMemory } from './available-memory.js';
export { sourceTowards } from './source-towards.js';
export { freePort, isPortFree } from './free-port.js';
export { peakMemory, restartPeakMemory } from './peak-memory.js';
export { hasEnded, identityOf, pidOf, type ProcessIdentity, thisProcess } from './process-identity.js';
