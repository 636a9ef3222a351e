#!/usr/bin/env node
// The program in a checkout. It loads the TypeScript; a built package has the compiled program under this name.
import { register } from 'tsx/esm/api';

register();
await import('../src/nautil.ts');
