import { getEventListeners } from 'node:events';
import { Interrupted } from '@nautil/contracts';

const controller = new AbortController();
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Aborts at the first Ctrl-C or SIGTERM. A command that must clean up listens to it; without a listener the program exits at once. */
export const interruption: AbortSignal = controller.signal;

/** Makes Ctrl-C and SIGTERM end the program with exit code 130: after its clean-up the first time, at once the second time. */
export function listenForInterruption(): void {
  for (const name of signals) process.on(name, interrupt);
}

/** Stops handling signals, for `nautil worker`: Temporal's runtime handles them itself and shuts its workers down. */
export function stopListeningForInterruption(): void {
  for (const name of signals) process.off(name, interrupt);
}

function interrupt(): void {
  const needsCleanUp = getEventListeners(interruption, 'abort').length > 0;
  if (interruption.aborted || !needsCleanUp) process.exit(130);
  controller.abort(new Interrupted('interrupted'));
}
