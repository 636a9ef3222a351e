import { once } from 'node:events';
import { isCheckout } from '@nautil/store/folders';

// Every command writes through these functions: results to standard output, everything else to standard error.

/** Writes a result. Waits until the reader of standard output has caught up, so that memory use stays flat. */
export async function printResult(text: string): Promise<void> {
  if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
}

/** Writes a result as JSON, for other programs. */
export const printJson = (value: unknown): Promise<void> => printResult(JSON.stringify(value, null, 2));

/** Writes a message for the person at the terminal. */
export function printMessage(text: string): void {
  process.stderr.write(`${asTyped(text)}\n`);
}

/**
 * Replaces `npx nautil` with `nautil` outside a checkout. Help and hints are written for a checkout, where `npx nautil` runs the
 * checkout's own program. Anywhere else npx may fetch an unrelated package of that name from the registry.
 */
export const asTyped = (text: string): string => (isCheckout() ? text : text.replaceAll('npx nautil', 'nautil'));
