import { once } from 'node:events';
import { escapeControls, printable } from '@nautil/contracts';
import { isCheckout } from '@nautil/store/folders';

// Every command writes through these functions: results to standard output, everything else to standard error. They are where
// names from files and messages of servers are made safe to show.

/**
 * Writes a result for people. Waits until the reader of standard output has caught up, so that memory use stays flat.
 *
 * @param lead - printed before the text as it is: for marks and colours of this program
 */
export const printResult = (text: string, lead = ''): Promise<void> =>
  write(lead + asTyped(printable(text, { maxLength: Infinity })));

/**
 * Writes a result for other programs, byte for byte. On a terminal, control characters are escaped.
 *
 * @param text - one or more lines without the last line feed
 */
export const printData = (text: string): Promise<void> => write(process.stdout.isTTY ? escapeControls(text) : text);

/** Writes a result as JSON, for other programs. */
export const printJson = (value: unknown): Promise<void> => printData(JSON.stringify(value, null, 2));

/** Writes a message for the person at the terminal. */
export function printMessage(text: string): void {
  process.stderr.write(`${asTyped(printable(text))}\n`);
}

async function write(text: string): Promise<void> {
  if (!process.stdout.write(`${text}\n`)) await once(process.stdout, 'drain');
}

/**
 * Replaces `npx nautil` with `nautil` outside a checkout. Help and hints are written for a checkout, where `npx nautil` runs the
 * checkout's own program. Anywhere else npx may fetch an unrelated package of that name from the registry.
 */
export const asTyped = (text: string): string => (isCheckout() ? text : text.replaceAll('npx nautil', 'nautil'));

/** For a long-lived program: its work matters more than its log. Replaces what `main` does when the reader of a pipe has gone. */
export function ignoreOutputErrors(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.removeAllListeners('error').on('error', () => undefined);
}
