#!/usr/bin/env node
// The program in a checkout: a bundle of its TypeScript, or else the TypeScript. A built package has the compiled program under
// this name.
import { preparedProgram } from './prepared-program.mjs';

const prepared = await preparedProgram();
if (prepared !== undefined) {
  await import(prepared);
} else {
  const { register } = await import('tsx/esm/api');
  register();
  await import('../src/nautil.ts');
}
