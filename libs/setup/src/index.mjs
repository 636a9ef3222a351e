export { installPrograms } from './install-programs.mjs';
export { SetupError } from './setup-error.mjs';
