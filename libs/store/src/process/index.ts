export { sourceTowards } from './source-towards.js';
export { freePort, isPortFree } from './free-port.js';
export { peakMemory } from './peak-memory.js';
export { hasEnded, identityOf, pidOf, type ProcessIdentity } from './process-identity.js';
