import { printable } from '@nautil/contracts';

/** The default for callers that do not handle warnings themselves. */
export const warnOnStderr = (message: string): void => {
  process.stderr.write(`${printable(message)}\n`);
};
