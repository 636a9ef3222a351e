// What `nautil doctor` runs to load TensorFlow. It loads the TypeScript; a built package has the compiled program under this name.
import { register } from 'tsx/esm/api';

register();
await import('./print-tensorflow.ts');
