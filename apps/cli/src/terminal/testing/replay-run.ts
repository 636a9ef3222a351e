// Writes to standard output what `nautil run` shows of a recorded run:
//   npx tsx apps/cli/src/terminal/testing/replay-run.ts RECORDING COLUMNS [POLLS]
// COLUMNS is the width of the terminal, or `pipe`. With POLLS, it ends after that many, as the screen is then.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TextClassificationResult } from '@nautil/contracts';
import { printOutcome } from '../../print-outcome.js';
import { type RunPoll, RunScreen } from '../run-screen.js';
import { TrainingDisplay } from '../training-display.js';

interface Entry {
  ms: number;
  poll?: RunPoll;
  result?: TextClassificationResult;
  evaluations?: string;
}

const [recording = '', columns = 'pipe', polls] = process.argv.slice(2);
const entries = readFileSync(recording, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Entry)
  .slice(0, polls === undefined ? undefined : Number(polls));

Object.assign(process.stdout, columns === 'pipe' ? {} : { isTTY: true, columns: Number(columns), rows: 40 });
let nowMs = 0;
const display = new TrainingDisplay(process.stdout, { now: () => nowMs });
const screen = new RunScreen(display);
for (const { ms, poll } of entries) {
  nowMs = ms;
  if (poll) screen.show(poll);
}
const last = entries.at(-1);
if (last?.result) {
  display.close();
  const folder = await mkdtemp(join(tmpdir(), 'nautil-replay-'));
  const path = join(folder, 'evaluations.jsonl');
  await writeFile(path, last.evaluations ?? '');
  await printOutcome({
    ...last.result,
    evaluations: { path, sha256: '', sizeBytes: 0 },
    workflowId: 'reviews',
    again: ['resume', 'reviews'],
    temporalUrl: 'http://127.0.0.1:8233/namespaces/default/workflows/reviews',
  });
  await rm(folder, { recursive: true });
}
