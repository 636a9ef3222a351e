import { readFile } from 'node:fs/promises';
import { parseEvaluations, type StoredEvaluation } from '@nautil/contracts/schemas';

/** Reads the evaluations of a run from their JSON lines; none when the file is on another machine. */
export async function readEvaluations(path: string): Promise<StoredEvaluation[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return parseEvaluations(text, path);
}
