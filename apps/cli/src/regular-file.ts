import { fstatSync, statSync } from 'node:fs';

/** Whether an input is a regular file. Standard input may be a regular file, too: predict --input - < reviews.txt */
export function isRegularFile(input: string): boolean {
  try {
    return (input === '-' ? fstatSync(0) : statSync(input)).isFile();
  } catch {
    return false; // reading the file reports the error
  }
}
