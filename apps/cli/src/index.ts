export { cliReference } from './cli-reference.js';
export { main } from './main.js';
export { buildProgram, examples, type CommandModule } from './program.js';
