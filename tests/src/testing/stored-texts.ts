import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';

/** The texts of a history, with every payload decoded. */
export async function historyOf(handle: WorkflowHandle): Promise<string> {
  const decoded = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString();
    if (Array.isArray(value)) return value.map(decoded);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, decoded(inner)]));
  };
  return JSON.stringify(decoded(await handle.fetchHistory()));
}

/** The files in a folder, at any depth, whose content has the text. */
export const filesWith = (text: string, folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(text))
    .map((path) => relative(folder, path));
