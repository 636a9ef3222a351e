import { isJsonObject, type JsonObject } from '@nautil/contracts';
import { sha256Of } from '@nautil/store';
import { pythonJson } from '../json.js';

/** Adds the digest of the record's other fields as `digest`. */
export function sealRecord(record: JsonObject): JsonObject {
  return { ...record, digest: digestOf(record) };
}

/** Whether the record still matches its digest. */
export function isSealIntact(record: JsonObject): boolean {
  return record['digest'] === digestOf(record);
}

/** The digests of the archive's other members, by name. Undefined if the record has none. */
export function fileDigests(record: JsonObject | undefined): Map<string, string> | undefined {
  const files = record?.['files'];
  return isJsonObject(files)
    ? new Map(
        Object.entries(files).map(([name, digest]) => [
          name,
          typeof digest === 'string' ? digest : JSON.stringify(digest),
        ]),
      )
    : undefined;
}

function digestOf(record: JsonObject): string {
  return sha256Of(pythonJson(Object.fromEntries(Object.entries(record).filter(([key]) => key !== 'digest'))));
}
