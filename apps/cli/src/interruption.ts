import { Interrupted } from '@nautil/contracts';
import { getEventListeners } from 'node:events';

const controller = new AbortController();

/** Aborts at the first Ctrl-C or SIGTERM. A command that has something to put in order listens to it; the others end at once. */
export const interruption: AbortSignal = controller.signal;

/** Makes Ctrl-C and SIGTERM end the program with exit code 130: in order at the first, at once at the second. */
export function listenForInterruption(): void {
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      const someoneCleansUp = getEventListeners(interruption, 'abort').length > 0;
      if (interruption.aborted || !someoneCleansUp) process.exit(130);
      controller.abort(new Interrupted('interrupted'));
    });
  }
}
