// What startTemporalServer runs beside the server. It loads the TypeScript; a built package has the compiled program under this
// name.
import { register } from 'tsx/esm/api';

register();
await import('./ui-gate-process.ts');
