import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TextClassificationResult } from '@nautil/contracts';
import { printOutcome } from '../../print-outcome.js';
import { type RunPoll, RunScreen } from '../run-screen.js';
import { TrainingDisplay } from '../training-display.js';

/** A line of a recording, as `record-run.ts` writes it. */
interface Entry {
  /** Time since the start of the recording. */
  ms: number;

  poll?: RunPoll;
  result?: TextClassificationResult;

  /** The content of the file of evaluations. */
  evaluations?: string;
}

export interface ReplayOptions {
  /** Width of the terminal; default: standard output is a pipe. */
  columns?: number | undefined;

  /** Ends the recording after that many lines, as the screen is then. */
  polls?: number | undefined;

  /** Whether the log of the run, with NeMo's tables, is on another machine; default: no. */
  isElsewhere?: boolean | undefined;
}

/**
 * Writes to standard output what `nautil run` shows of a recorded run.
 *
 * NOTE: makes standard output a terminal, or a pipe, for the rest of the process.
 */
export async function replayRun(
  recording: string,
  { columns, polls, isElsewhere = false }: ReplayOptions,
): Promise<void> {
  const entries = readFileSync(recording, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry)
    .slice(0, polls);
  Object.assign(process.stdout, { isTTY: columns !== undefined, columns, rows: 40 });
  let nowMs = 0;
  const display = new TrainingDisplay(process.stdout, { now: () => nowMs });
  const screen = new RunScreen(display);
  for (const { ms, poll } of entries) {
    nowMs = ms;
    if (poll) screen.show(isElsewhere ? { ...poll, tables: undefined } : poll);
  }
  const last = entries.at(-1);
  if (!last?.result) return;
  display.close();
  await printResult(last.result, last.evaluations ?? '', screen.tablesShown);
}

async function printResult(result: TextClassificationResult, evaluations: string, tablesShown: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'nautil-replay-'));
  const path = join(folder, 'evaluations.jsonl');
  await writeFile(path, evaluations);
  await printOutcome({
    ...result,
    evaluations: { path, sha256: '', sizeBytes: 0 },
    workflowId: 'reviews',
    tablesShown,
    again: ['resume', 'reviews'],
    temporalUrl: 'http://127.0.0.1:8233/namespaces/default/workflows/reviews',
  });
  await rm(folder, { recursive: true });
}
