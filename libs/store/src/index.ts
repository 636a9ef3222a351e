export { claimFence, Fenced, type Fence } from './claim-fence.js';
export { canonicalJson, fileRef, sha256File, sha256Of } from './digest.js';
export { DiskFull, explainWriteError, formatBytes, freeBytesAt } from './disk-full.js';
export { hasEnded, identityOf, pidOf, thisProcess, type ProcessIdentity } from './process-identity.js';
export { stageOutput, type StageOptions, type StageOutput } from './stage-output.js';
export { Store } from './store.js';
export { LockTimeout, withLock, type LockOptions } from './with-lock.js';
export { nautilHome, workspaceRoot } from './workspace-root.js';
export { writeFileAtomic, type FileContent } from './write-file-atomic.js';
