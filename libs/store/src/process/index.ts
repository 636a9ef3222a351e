export { freePort, isPortFree } from './free-port.js';
export { hasEnded, identityOf, pidOf, type ProcessIdentity } from './process-identity.js';
