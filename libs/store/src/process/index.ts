export { hasEnded, identityOf, pidOf, type ProcessIdentity } from './process-identity.js';
